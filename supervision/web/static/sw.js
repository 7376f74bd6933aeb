// Rural network: the page of a booking, with its code, stays readable without it. app.js saves that page when it
// is shown; nothing else private is kept.
"use strict";

const SHELL = "shell-v1";
const PAGES = "pages";
const SHELL_FILES = ["/offline", "/static/app.css", "/static/dark.css", "/static/app.js", "/static/vendor/lucide/sprite.svg"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(SHELL_FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const keep = [SHELL, PAGES];
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((name) => !keep.includes(name)).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

const savedCopy = async (request) => {
  const saved = await caches.match(request, { ignoreSearch: true, cacheName: PAGES });
  if (!saved) return (await caches.open(SHELL)).match("/offline");
  const text = (await saved.text()).replace("<html", "<html data-offline");
  return new Response(text, { headers: saved.headers });
};

const page = async (request) => {
  try {
    return await fetch(request);
  } catch {
    return savedCopy(request);
  }
};

const asset = async (request) => {
  try {
    const answer = await fetch(request);
    if (answer.ok) await (await caches.open(SHELL)).put(new URL(request.url).pathname, answer.clone());
    return answer;
  } catch {
    const saved = await (await caches.open(SHELL)).match(request, { ignoreSearch: true });
    return saved || Response.error();
  }
};

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (new URL(request.url).pathname.startsWith("/static/")) event.respondWith(asset(request));
});
