"use strict";
// Keeps the page up to date, and lets keys move in it. Without it the page is the same, and is reloaded by hand.

const held = {}; // parts that came while somebody typed in them

function busy(part) {
  const at = document.activeElement;
  return part.contains(at) && at.tagName === "INPUT" || part.querySelector("details[open]") !== null;
}

function replace(name, html) {
  const part = document.getElementById(name);
  if (name === "steer" && busy(part)) {
    held[name] = html;
    return;
  }
  delete held[name];
  const at = document.activeElement;
  const link = part.contains(at) ? at.getAttribute("href") : null;
  part.innerHTML = html; // made and escaped by the page's own templates
  if (link) {
    for (const a of part.querySelectorAll("a")) {
      if (a.getAttribute("href") === link) a.focus();
    }
  }
}

function span(seconds) {
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]) {
    const n = Math.floor(seconds / size);
    if (n > 0) parts.push(n + unit);
    else if (parts.length > 0) break;
    seconds -= n * size;
  }
  return parts.slice(0, 2).join("") || "0s";
}

setInterval(() => {
  const now = Math.round(Date.now() / 1000);
  for (const e of document.querySelectorAll("[data-since]")) e.textContent = span(Math.max(0, now - e.dataset.since));
  for (const e of document.querySelectorAll("[data-until]")) e.textContent = span(Math.max(0, e.dataset.until - now));
  const steer = document.getElementById("steer");
  if (steer && held.steer && !busy(steer)) replace("steer", held.steer);
}, 1000);

const live = document.body.dataset.live;
if (live) {
  const source = new EventSource(live);
  const link = document.getElementById("link");
  for (const name of ["rows", "main", "steer"]) source.addEventListener(name, (e) => replace(name, e.data));
  source.onopen = () => { link.textContent = ""; };
  source.onerror = () => {
    link.textContent = "not connected; this may be old";
    // A browser tries again where the connection was lost, and not where it was refused: the login may be over.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 10000);
  };
}

function move(by) {
  const links = [...document.querySelectorAll(".list a")];
  if (links.length === 0) return;
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)].focus();
}

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) {
    if (e.key === "Escape") e.target.blur();
    return;
  }
  const filter = document.getElementById("q"), commands = document.getElementById("commands");
  if (e.key === "j") move(1);
  else if (e.key === "k") move(-1);
  else if (e.key === "u") location.href = "/";
  else if (e.key === "?") document.getElementById("keys").showModal();
  else if (e.key === "/" && filter) filter.focus();
  else if (e.key === "c" && commands) commands.focus();
  else return;
  e.preventDefault();
});
