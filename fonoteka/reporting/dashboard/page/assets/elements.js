
"use strict";
// Elements of the page. Text from data is only ever set as text, never as HTML.
// The scripts of this page share their top-level names; each uses those of the scripts before it.

const SVG = "http://www.w3.org/2000/svg";
// Control characters are invisible, so a replacement character shows that they are there.
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

const element = (id) => document.getElementById(id);

function printable(text) {
  return String(text).replace(UNPRINTABLE, "\ufffd");
}

// Returns an element; attributes that are null or false are left out, and functions are listeners.
function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key, value);
    else node.setAttribute(key, value === true ? "" : printable(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null) node.append(child instanceof Node ? child : printable(child));
  }
  return node;
}

// Text of data keeps its direction to itself.
function isolated(text) {
  return make("bdi", {}, text);
}

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

// The exact value is in the element beside the rounded text.
function valueElement(value, text) {
  return missing(value) ? document.createTextNode("–") : make("data", { value: String(value) }, text);
}

function percentText(value) {
  return missing(value) ? "–" : (value * 100).toFixed(2) + " %";
}

const percent = (value) => valueElement(value, percentText(value));
// A difference of two rates: "5 %" could be of either rate.
const points = (value) => valueElement(value, missing(value) ? "–" : (value * 100).toFixed(2) + " pp");
const plain = (value) => valueElement(value, typeof value === "number" ? String(value) : value);

function interval(low, high, shown = percent) {
  if (missing(low) || missing(high)) return document.createTextNode("–");
  return make("span", {}, shown(low), " to ", shown(high));
}

function whole(count) {
  return count.toLocaleString("en");
}

// Returns a table; `columns` are texts or nodes with `number` for those that are aligned right, and
// a row is its cells, of which the first is its heading.
function table(caption, columns, rows) {
  const head = make("tr", {}, columns.map(({ label, number, sort }) =>
    make("th", { scope: "col", class: number && "number", "aria-sort": sort }, label)));
  const body = rows.map((cells) => make("tr", {}, cells.map((cell, index) =>
    make(index ? "td" : "th", { scope: index ? null : "row", class: columns[index]?.number && "number" }, cell))));
  return make("table", {}, caption && make("caption", {}, caption), make("thead", {}, head),
    make("tbody", {}, body));
}

const column = (label, number = false) => ({ label, number });

// What may be wider than the window scrolls by itself, by keys too.
function scrolling(label, attributes, ...content) {
  return make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": label, ...attributes }, content);
}

function tableDetails(summary, ...content) {
  return make("details", {}, make("summary", {}, summary), scrolling(summary, {}, content));
}

function link(text, action, attributes = {}) {
  return make("button", { type: "button", class: "plain", click: action, ...attributes }, isolated(text));
}

// A reader who prefers less motion gets the same place without it.
function bringIntoView(node, block) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  node.scrollIntoView({ behavior: calm ? "auto" : "smooth", block });
}
