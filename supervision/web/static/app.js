// Progressive enhancement only: every page works without this file.
(() => {
  "use strict";

  // The saved copy of a booking page (code without network) must not outlive the sign-in on a shared phone.
  // A copy on its way when the sign-out is pressed must not arrive after it.
  let signingOut = false;
  const forgetSavedPages = () => {
    signingOut = true;
    if ("caches" in window) caches.delete("pages");
  };

  // Keep the booking page as it stands: with its code it must be readable where there is no network.
  const savePage = async () => {
    if (!document.querySelector("[data-save]") || !("caches" in window) || document.documentElement.hasAttribute("data-offline")) return;
    try {
      const answer = await fetch(location.pathname);
      if (answer.ok && !answer.redirected && !signingOut) await (await caches.open("pages")).put(location.pathname, answer);
    } catch {
      // No network now: what was saved before stays.
    }
  };

  const registerWorker = () => {
    if (!("serviceWorker" in navigator)) return;
    navigator.serviceWorker.register("/sw.js").catch(() => {
      // Private windows and plain http refuse workers; the site works without.
    });
  };

  // Close the account menu by Escape or a click elsewhere, and give the focus back to its button.
  const wireMenus = () => {
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const menu of document.querySelectorAll("details.menu[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });
    document.addEventListener("click", (event) => {
      for (const menu of document.querySelectorAll("details.menu[open]")) {
        if (!menu.contains(event.target)) menu.open = false;
      }
    });
  };

  // "Why this charge?" is filled by htmx from a click far above it on a phone: bring it to the reader.
  const wireWhy = () => {
    document.addEventListener("htmx:after:swap", (event) => {
      const target = event.detail && event.detail.ctx && event.detail.ctx.target;
      if (target && target.id === "code") savePage();
      if (!target || target.id !== "why") return;
      if (event.detail.ctx.sourceElement?.closest("#why")) return; // it refreshed itself: leave the reader alone
      target.focus({ preventScroll: true });
      target.scrollIntoView({ block: "nearest" });
    });
  };

  // The booking ends later than it starts: follow the start when it moves past the end.
  const wireDates = () => {
    const start = document.getElementById("start_on");
    const end = document.getElementById("end_on");
    if (!start || !end) return;
    start.addEventListener("change", () => {
      end.min = start.value;
      if (end.value < start.value) end.value = start.value;
    });
  };

  // The offline page lists the bookings saved by the service worker.
  const listSaved = async () => {
    const list = document.getElementById("saved");
    if (!list || !("caches" in window) || !(await caches.has("pages"))) return;
    const cache = await caches.open("pages");
    for (const request of await cache.keys()) {
      const page = new DOMParser().parseFromString(await (await cache.match(request)).text(), "text/html");
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = new URL(request.url).pathname;
      link.textContent = page.querySelector("h1")?.textContent || link.href;
      link.className = "button wide";
      item.append(link);
      list.append(item);
    }
  };

  for (const form of document.querySelectorAll('form[action="/logout"]')) {
    form.addEventListener("submit", forgetSavedPages);
  }
  registerWorker();
  savePage();
  wireMenus();
  wireWhy();
  wireDates();
  listSaved();
})();
