// Keeps relative times right: <time data-shown="age|left" datetime="…"> counts by itself, without asking the server.
// <time data-shown="moment|clock"> is told in the zone of the reader, and its title says it in UTC.
// <time data-shown="here"> says the time of day where the reader is, and nothing where that is UTC.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("words").textContent);
  const served = Number(document.body.dataset.now) * 1000;
  let skew = 0; // the server's clock minus this one's, ms; small differences are the way, not the clock

  const heard = (serverNow) => {
    const difference = serverNow - Date.now();
    skew = Math.abs(difference) < 2500 ? 0 : difference;
  };

  const two = (figure) => String(figure).padStart(2, "0");

  const span = (seconds) => {
    const units = [[86400, words.d], [3600, words.h], [60, words.min], [1, words.s]];
    const first = units.findIndex(([size]) => seconds >= size);
    if (first < 0) return `0\u00a0${words.s}`;
    const [size, unit] = units[first];
    const text = `${Math.floor(seconds / size)}\u00a0${unit}`;
    if (size !== 60) return text;
    return `${text} ${two(Math.floor(seconds % 60))}\u00a0${words.s}`;
  };

  const here = (at) => {
    if (at.getTimezoneOffset() === 0) return "";
    const time = at.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    return words.here.replace("{time}", time);
  };

  // As the server writes it, so that nothing changes its width.
  const local = (at, shown) => {
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (shown === "clock") return clock;
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}:${two(at.getSeconds())}`;
  };

  const said = (element) => {
    const shown = element.dataset.shown;
    if (shown === "here") return here(new Date(element.getAttribute("datetime")));
    if (shown === "moment" || shown === "clock") return local(new Date(element.getAttribute("datetime")), shown);
    const apart = (Date.now() + skew - Date.parse(element.getAttribute("datetime"))) / 1000;
    if (shown === "age") return words.ago.replace("{time}", span(Math.max(0, apart)));
    return apart < 0 ? words.in.replace("{time}", span(-apart)) : words.over;
  };

  const refresh = (root) => {
    for (const element of root.querySelectorAll("time[data-shown]")) {
      const text = said(element);
      if (element.textContent !== text) element.textContent = text;
    }
  };

  heard(served);
  refresh(document);
  setInterval(() => { if (!document.hidden) refresh(document); }, 1000);
  document.addEventListener("visibilitychange", () => refresh(document));
  window.pomniTimes = { refresh, heard };
})();
