"use strict";
// What all pages share. Every text from an episode goes in as text, never as HTML: models and
// strangers wrote it.

const SVG = "http://www.w3.org/2000/svg";

function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// The switch of the colour scheme; without a choice the reader's system decides.
function setUpScheme() {
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("scheme"); } catch { return null; } };
  const show = (scheme) => { root.style.colorScheme = scheme ?? ""; };
  show(stored());
  document.getElementById("scheme").addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.style.colorScheme || (dark ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    try { localStorage.setItem("scheme", next); } catch { /* a page from a file may not store */ }
    show(next);
  });
}

function copyButton(text, what) {
  const button = el("button", { type: "button", class: "small", title: text, onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      button.textContent = text;
    }
    setTimeout(() => { button.textContent = what; }, 1500);
  } }, what);
  return button;
}
