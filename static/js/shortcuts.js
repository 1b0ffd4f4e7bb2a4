// Keyboard shortcuts: g and a letter leads to a page, p freezes a live page, / goes to the search box, ? lists them all.
// Keys go by their place on the keyboard, so that they are the same under a Russian layout. Not while somebody types.
(() => {
  "use strict";
  const list = document.getElementById("shortcuts");
  const opener = document.getElementById("shortcuts-open");
  const wanted = document.getElementById("shortcuts-on");
  if (!list || !list.showModal) return;
  const KEY = "pomni_shortcuts";
  const WITHIN_MS = 1500;
  let goAt = -Infinity;

  try { wanted.checked = localStorage.getItem(KEY) !== "off"; } catch { /* storage may be forbidden */ }
  wanted.addEventListener("change", () => {
    try { localStorage.setItem(KEY, wanted.checked ? "on" : "off"); } catch { /* for this page only, then */ }
  });

  const isTyping = (target) =>
    target instanceof Element && target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

  const letterOf = (event) => (/^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : "");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "?" || (event.shiftKey && event.code === "Slash")) {
      event.preventDefault();
      list.showModal();
      return;
    }
    if (!wanted.checked || event.shiftKey) return;
    if (event.timeStamp - goAt < WITHIN_MS) {
      goAt = -Infinity;
      const link = document.querySelector(`.side a[data-key="${letterOf(event)}"]`);
      if (letterOf(event) && link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    if (event.code === "KeyG") {
      goAt = event.timeStamp;
    } else if (event.code === "KeyP") {
      document.getElementById("live-freeze")?.click();
    } else if (event.key === "/" || event.code === "Slash") {
      const search = document.querySelector('main input[type="search"], main [data-search], main .find input[type="text"]');
      if (!search) return;
      event.preventDefault();
      search.focus();
    }
  });

  opener.hidden = false;
  opener.addEventListener("click", () => list.showModal());
  list.addEventListener("click", (event) => { if (event.target === list) list.close(); });
})();
