// A charge point made of npm's ocpp-rpc in strict mode: every message, either way, is checked against that
// package's own schemas. It does what it is told by JSON lines on stdin and tells what happens on stdout.
//
//   {"do": "connect", "url", "identity", "password", "protocol", "answers": {ACTION: RESULT}}
//   {"do": "call", "action", "payload"}   {"do": "close"}
//
// Each gets one line back: {"result": ...} or {"error": ...}. Beside them come {"command": ACTION, "payload"}
// for every CALL of the central system and {"invalid": ...} for whatever breaks a schema or the protocol.
'use strict'

const readline = require('node:readline')
const { RPCClient } = require('ocpp-rpc')

const tell = (line) => process.stdout.write(JSON.stringify(line) + '\n')

let client = null

async function connect ({ url, identity, password, protocol, answers }) {
  client = new RPCClient({
    endpoint: url, identity, password, protocols: [protocol], strictMode: true, reconnect: false, callTimeoutMs: 20000
  })
  client.on('strictValidationFailure', ({ method, params, result, outbound, isCall, error }) => {
    tell({ invalid: { method, params, result, outbound, isCall, why: String(error), details: error.details } })
  })
  client.on('badMessage', ({ buffer, error }) => tell({ invalid: { message: String(buffer), why: String(error) } }))
  for (const [action, result] of Object.entries(answers)) {
    client.handle(action, ({ params }) => {
      tell({ command: action, payload: params })
      return result
    })
  }
  client.handle(({ method, params }) => tell({ invalid: { method, params, why: 'not expected' } }))
  await client.connect()
  return client.protocol
}

const deeds = {
  connect,
  call: ({ action, payload }) => client.call(action, payload),
  close: () => client.close({ code: 1000, awaitPending: true }).then(() => null)
}

async function main () {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line)
    try {
      tell({ result: (await deeds[order.do](order)) ?? null })
    } catch (error) {
      tell({ error: { code: error.rpcErrorCode ?? null, message: String(error) } })
    }
  }
  process.exit(0)
}

main()
