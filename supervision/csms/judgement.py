"""What an answer to a command means: done, to be waited for, refused, or done in part. Pure.

`Accepted` is never more than accepted: where the effect comes later the verdict is `pending` and says what
will show it. `refused` means that what was asked has not been carried out; a question that is answered
"there is none" is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from supervision.csms.frame import Version


class VerdictKind(StrEnum):
    """What became of what was asked."""

    DONE = "done"
    PENDING = "pending"
    REFUSED = "refused"
    PARTLY = "partly"


class Awaits(StrEnum):
    """What will show the effect of an answer that only promises it."""

    CHARGE_START = "charge_start"
    CHARGE_END = "charge_end"
    RESTART = "restart"
    MESSAGE = "message"
    REPORT = "report"
    UPLOAD = "upload"
    FIRMWARE = "firmware"
    QUEUED_MESSAGES = "queued_messages"


NO_ANSWER = "NoAnswer"  # our word for an item, or a status, that the station left out
NO_VALUE = "NoValue"  # "Accepted" for a variable whose value does not come: some stations accept any name
NO_FILE = "NoFile"  # 1.6 GetDiagnostics without a file name: there is nothing to upload


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVerdict:
    """One item that is not simply done: which, the station's word for it, and its reason if it gave one."""

    subject: str
    kind: VerdictKind
    word: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The meaning of an answer; `word` is the station's status, empty for lists and answers without one."""

    kind: VerdictKind
    word: str = ""
    awaits: Awaits | None = None
    reason: str = ""
    items: tuple[ItemVerdict, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the verdict as JSON."""
        return {
            "kind": self.kind.value,
            "word": self.word or None,
            "awaits": None if self.awaits is None else self.awaits.value,
            "reason": self.reason or None,
            "items": [
                {
                    "subject": item.subject,
                    "kind": item.kind.value,
                    "word": item.word,
                    "reason": item.reason or None,
                }
                for item in self.items
            ],
        }


Meaning = tuple[VerdictKind, Awaits | None]
DONE: Meaning = (VerdictKind.DONE, None)
REFUSED: Meaning = (VerdictKind.REFUSED, None)


def _pending(awaits: Awaits) -> Meaning:
    return VerdictKind.PENDING, awaits


# What "Accepted" promises; of every other action it is the thing itself.
_PROMISES: Mapping[str, Awaits] = {
    "RemoteStartTransaction": Awaits.CHARGE_START,
    "RequestStartTransaction": Awaits.CHARGE_START,
    "RemoteStopTransaction": Awaits.CHARGE_END,
    "RequestStopTransaction": Awaits.CHARGE_END,
    "Reset": Awaits.RESTART,
    "TriggerMessage": Awaits.MESSAGE,
    "ExtendedTriggerMessage": Awaits.MESSAGE,
    "CustomerInformation": Awaits.REPORT,
    "GetBaseReport": Awaits.REPORT,
    "GetChargingProfiles": Awaits.REPORT,
    "GetDisplayMessages": Awaits.REPORT,
    "GetMonitoringReport": Awaits.REPORT,
    "GetReport": Awaits.REPORT,
    "GetDiagnostics": Awaits.UPLOAD,
    "GetLog": Awaits.UPLOAD,
    "PublishFirmware": Awaits.FIRMWARE,
    "SignedUpdateFirmware": Awaits.FIRMWARE,
    "UpdateFirmware": Awaits.FIRMWARE,
}
_REFUSALS = """
    DownloadOngoing Duplicate Failed Faulted Invalid InvalidCertificate NoFirmware NotFound NotImplemented
    NotSupported NotSupportedAttributeType NotSupportedMessageFormat NotSupportedPriority NotSupportedState
    Occupied OngoingAuthorizedTransaction Rejected RevokedCertificate Unavailable Unknown UnknownComponent
    UnknownConnector UnknownMessageId UnknownTransaction UnknownVariable UnknownVendorId UnlockFailed
    UnsupportedMonitorType VersionMismatch
"""
# Words that mean the same wherever they stand.
_WORDS: Mapping[str, Meaning] = {
    "Accepted": DONE,
    "Unlocked": DONE,
    "Unpublished": DONE,
    "RebootRequired": _pending(Awaits.RESTART),
    "Scheduled": _pending(Awaits.CHARGE_END),
    **dict.fromkeys(_REFUSALS.split(), REFUSED),
}
# Words that mean something else in the answer to one action.
_OF_ACTION: Mapping[tuple[str, str], Meaning] = {
    ("GetBaseReport", "EmptyResultSet"): DONE,
    ("GetReport", "EmptyResultSet"): DONE,
    ("GetMonitoringReport", "EmptyResultSet"): DONE,
    ("SetMonitoringBase", "EmptyResultSet"): REFUSED,  # an order, not a question: nothing was set
    ("GetChargingProfiles", "NoProfiles"): DONE,
    ("GetDisplayMessages", "Unknown"): DONE,
    ("GetInstalledCertificateIds", "NotFound"): DONE,
    ("GetLog", "AcceptedCanceled"): _pending(Awaits.UPLOAD),  # the upload under way was given up for this one
    ("SignedUpdateFirmware", "AcceptedCanceled"): _pending(Awaits.FIRMWARE),
    ("UpdateFirmware", "AcceptedCanceled"): _pending(Awaits.FIRMWARE),
}


def meaning(action: str, word: str) -> Meaning | None:
    """Return what a status word means in the answer to an action; None for a word that no version has."""
    special = _OF_ACTION.get((action, word))
    if special is not None:
        return special
    if word == "Accepted" and action in _PROMISES:
        return _pending(_PROMISES[action])
    return _WORDS.get(word)


def judge(version: Version, action: str, request: Mapping[str, Any], response: Mapping[str, Any]) -> Verdict:
    """Judge an answer against what was asked. Total: whatever a station sends gets a verdict."""
    by_list = _LISTS.get(action)
    if by_list is not None:
        return _of_items(by_list(request, response))
    by_content = _CONTENTS.get((version, action)) or _CONTENTS.get((None, action))
    if by_content is not None:
        return by_content(request, response)
    return _of_word(action, _spelt(response.get("status")), _reason(response))


def judge_error(error: Mapping[str, Any]) -> Verdict:
    """Judge a CALLERROR: whatever its code, what was asked has not been done."""
    return Verdict(
        kind=VerdictKind.REFUSED, word=str(error.get("code", "")), reason=str(error.get("description") or "")
    )


def judge_command(
    version: Version | None,
    action: str,
    request: Mapping[str, Any],
    response: Mapping[str, Any] | None,
    error: Mapping[str, Any] | None,
) -> Verdict | None:
    """Judge what is stored of a command; None while the station has said nothing."""
    if response is not None and version is not None:
        return judge(version, action, request, response)
    return judge_error(error) if error and error.get("code") else None


def _of_word(action: str, word: str, reason: str) -> Verdict:
    kind, awaits = meaning(action, word) or REFUSED  # a word nobody knows promises nothing
    return Verdict(kind=kind, word=word or NO_ANSWER, awaits=awaits, reason=reason)


# --- answers without a status ---------------------------------------------------------------------------


def _done(_request: Mapping[str, Any], _response: Mapping[str, Any]) -> Verdict:
    return Verdict(kind=VerdictKind.DONE)


def _firmware_asked(_request: Mapping[str, Any], _response: Mapping[str, Any]) -> Verdict:
    return Verdict(kind=VerdictKind.PENDING, awaits=Awaits.FIRMWARE)


def _diagnostics(_request: Mapping[str, Any], response: Mapping[str, Any]) -> Verdict:
    if response.get("fileName"):
        return Verdict(kind=VerdictKind.PENDING, awaits=Awaits.UPLOAD)
    return Verdict(kind=VerdictKind.REFUSED, word=NO_FILE)


def _list_version(_request: Mapping[str, Any], response: Mapping[str, Any]) -> Verdict:
    """1.6 5.10: -1 says that the station keeps no local list."""
    if response.get("listVersion") == -1:
        return Verdict(kind=VerdictKind.REFUSED, word="NotSupported")
    return Verdict(kind=VerdictKind.DONE)


def _charge_told(_request: Mapping[str, Any], response: Mapping[str, Any]) -> Verdict:
    """2.0.1 E14: while messages wait at the station its account of a charge is not complete."""
    if response.get("messagesInQueue") is True:
        return Verdict(kind=VerdictKind.PENDING, awaits=Awaits.QUEUED_MESSAGES)
    return Verdict(kind=VerdictKind.DONE)


_Judge = Callable[[Mapping[str, Any], Mapping[str, Any]], Verdict]
_CONTENTS: Mapping[tuple[Version | None, str], _Judge] = {
    (None, "CostUpdated"): _done,
    (None, "GetTransactionStatus"): _charge_told,
    (None, "GetLocalListVersion"): _list_version,
    (None, "GetDiagnostics"): _diagnostics,
    (Version.V16, "UpdateFirmware"): _firmware_asked,
}


# --- answers with a list --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    subject: str
    word: str
    reason: str = ""


def _variables_read(request: Mapping[str, Any], response: Mapping[str, Any]) -> list[_Item]:
    results = _by_variable(response.get("getVariableResult"))
    items = []
    for subject, _ in _variables(request.get("getVariableData")):
        result = results.get(subject.casefold(), {})
        word = _spelt(result.get("attributeStatus"))
        if word == "Accepted" and result.get("attributeValue") is None:
            word = NO_VALUE
        items.append(_Item(subject, word, _reason(result, "attributeStatusInfo")))
    return items


def _variables_set(request: Mapping[str, Any], response: Mapping[str, Any]) -> list[_Item]:
    results = _by_variable(response.get("setVariableResult"))
    return [
        _Item(subject, _spelt(result.get("attributeStatus")), _reason(result, "attributeStatusInfo"))
        for subject, _ in _variables(request.get("setVariableData"))
        for result in [results.get(subject.casefold(), {})]
    ]


def _monitors_set(request: Mapping[str, Any], response: Mapping[str, Any]) -> list[_Item]:
    """Several monitors of one variable differ in type and severity; results keep the order in between."""
    waiting: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for subject, result in _variables(response.get("setMonitoringResult")):
        waiting.setdefault(_monitor_key(subject, result), []).append(result)
    items = []
    for subject, asked in _variables(request.get("setMonitoringData")):
        results = waiting.get(_monitor_key(subject, asked), [])
        result = results.pop(0) if results else {}
        items.append(
            _Item(f"{subject} {asked.get('type', '')}".strip(), _spelt(result.get("status")), _reason(result))
        )
    return items


def _monitor_key(subject: str, item: Mapping[str, Any]) -> tuple[str, str, str]:
    return subject.casefold(), str(item.get("type", "")).casefold(), str(item.get("severity", ""))


def _monitors_cleared(request: Mapping[str, Any], response: Mapping[str, Any]) -> list[_Item]:
    results = {str(result.get("id")): result for result in _objects(response.get("clearMonitoringResult"))}
    asked = request.get("id")
    return [
        _Item(str(number), _spelt(result.get("status")), _reason(result))
        for number in (asked if isinstance(asked, list) else [])
        for result in [results.get(str(number), {})]
    ]


def _keys_read(request: Mapping[str, Any], response: Mapping[str, Any]) -> list[_Item]:
    """1.6 GetConfiguration: without names everything was asked for, and everything answers it."""
    told = {str(entry.get("key", "")).casefold() for entry in _objects(response.get("configurationKey"))}
    unknown = response.get("unknownKey")
    strangers = {str(key).casefold() for key in (unknown if isinstance(unknown, list) else [])}
    asked = request.get("key")
    items = []
    for key in asked if isinstance(asked, list) else []:
        folded = str(key).casefold()
        word = "Accepted" if folded in told else "NotSupported" if folded in strangers else ""
        items.append(_Item(str(key), word))
    return items


_LISTS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], list[_Item]]] = {
    "GetConfiguration": _keys_read,
    "GetVariables": _variables_read,
    "SetVariables": _variables_set,
    "SetVariableMonitoring": _monitors_set,
    "ClearVariableMonitoring": _monitors_cleared,
}


def _of_items(items: Sequence[_Item]) -> Verdict:
    judged = [
        ItemVerdict(subject=item.subject, kind=kind, word=item.word or NO_ANSWER, reason=item.reason)
        for item in items
        for kind, _ in [_WORDS.get(item.word, REFUSED)]
    ]
    kinds = {item.kind for item in judged}
    if VerdictKind.REFUSED not in kinds:
        kind = VerdictKind.PENDING if VerdictKind.PENDING in kinds else VerdictKind.DONE
    else:
        kind = VerdictKind.REFUSED if kinds == {VerdictKind.REFUSED} else VerdictKind.PARTLY
    return Verdict(
        kind=kind,
        awaits=Awaits.RESTART if VerdictKind.PENDING in kinds else None,
        items=tuple(item for item in judged if item.kind is not VerdictKind.DONE),
    )


def _by_variable(results: Any) -> dict[str, Mapping[str, Any]]:
    return {subject.casefold(): result for subject, result in _variables(results)}


def _variables(items: Any) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Give each item its name: `Component(instance)@evse.Variable(instance):Attribute`, shortened."""
    return [(_subject(item), item) for item in _objects(items)]


def _subject(item: Mapping[str, Any]) -> str:
    component, variable = _object(item.get("component")), _object(item.get("variable"))
    evse = _object(component.get("evse"))
    place = "/".join(str(evse[name]) for name in ("id", "connectorId") if name in evse)
    kind = str(item.get("attributeType", "Actual"))
    return (
        f"{_named(component)}{'@' + place if place else ''}.{_named(variable)}"
        f"{'' if kind == 'Actual' else ':' + kind}"
    )


def _named(part: Mapping[str, Any]) -> str:
    instance = part.get("instance")
    return f"{part.get('name', '?')}{'' if instance is None else f'({instance})'}"


def _objects(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _reason(result: Mapping[str, Any], name: str = "statusInfo") -> str:
    """The station's reason: its code, and what it adds in plain text."""
    info = _object(result.get(name))
    return ": ".join(str(info[part]) for part in ("reasonCode", "additionalInfo") if info.get(part))


_SPELLINGS = {
    word.casefold(): word
    for word in [*_WORDS, *(word for _, word in _OF_ACTION), "EmptyResultSet", "NoProfiles"]
}


def _spelt(word: Any) -> str:
    """A status as the standard spells it: some stations write it in another case or with blanks."""
    text = word.strip() if isinstance(word, str) else ""
    return _SPELLINGS.get(text.casefold(), text)
