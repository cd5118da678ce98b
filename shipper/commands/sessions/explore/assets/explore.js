"use strict";
// Everything works without this: it renews the page when something has changed, searches while one types, and
// copies. What it puts into the page comes rendered and escaped from the server.
const main = () => document.getElementById("main");
let renewing = false;

async function renew(address) {
  if (renewing) return;
  renewing = true;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("main");
    if (!found) return;
    const details = [...main().querySelectorAll("details")].map((each) => each.open);
    found.querySelectorAll("details").forEach((each, n) => {
      if (n < details.length) each.open = details[n];
    });
    main().replaceWith(document.adoptNode(found));
  } catch {
    // The server is away; the next event tries again.
  } finally {
    renewing = false;
  }
}

function busy() {
  const at = document.activeElement;
  return (at && main().contains(at) && at.matches("input, select")) || !getSelection().isCollapsed;
}

const events = new EventSource("/events");
events.onmessage = (event) => {
  if (event.data !== main().dataset.version && !busy() && !document.hidden) renew(location.href);
};

let waiting = 0;
document.addEventListener("input", (event) => {
  if (!event.target.matches("input[data-live]")) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const address = "/search?q=" + encodeURIComponent(event.target.value);
    history.replaceState(null, "", address);
    renew(address);
  }, 120);
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-copy]");
  if (!link || !navigator.clipboard) return;
  event.preventDefault();
  const label = link.textContent;
  const answer = await fetch(link.href);
  await navigator.clipboard.writeText(await answer.text());
  link.textContent = "Copied";
  setTimeout(() => (link.textContent = label), 1500);
});
