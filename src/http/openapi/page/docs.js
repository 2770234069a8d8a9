// Draws openapi.json: operations by tag, each with its parameters, shapes, answers, and a curl line for each example.
"use strict";

const page = document.getElementById("page");
const contents = document.getElementById("contents");

/** An element with attributes and children; text becomes text, never markup. */
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => ![undefined, null, false].includes(child)));
  return element;
}

/** Paragraphs, with `code` in them. */
function prose(text, attributes) {
  return (text ?? "").split("\n\n").filter(Boolean).map((part) => el("p", attributes, inline(part)));
}

function inline(text) {
  return (text ?? "").split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}

const shapeOf = (reference) => reference.split("/").pop();
const shapeLink = (name) => el("a", { href: `#shape-${name}` }, name);

/** A schema in a few words; shapes are links. */
function type(schema) {
  if (schema === true || Object.keys(schema).length === 0) return ["any JSON"];
  if (schema.$ref) return [shapeLink(shapeOf(schema.$ref))];
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.flatMap((choice, i) => (i ? [" or ", ...type(choice)] : type(choice)));
  if (schema.allOf) return type(schema.allOf[0]);
  if ("const" in schema) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.length > 12 ? `one of ${schema.enum.length} texts` : schema.enum.map((value) => JSON.stringify(value)).join(" | ")];
  const kinds = [schema.type ?? "any JSON"].flat().join(" or ");
  if (schema.type === "array") return ["list of ", ...type(schema.items ?? {})];
  if (schema.type === "object" && schema.additionalProperties?.$ref) return ["object of ", ...type(schema.additionalProperties)];
  return [schema.format ? `${kinds} (${schema.format})` : kinds];
}

/** What bounds a value. */
function bounds(schema) {
  const { minimum, maximum, exclusiveMinimum, minLength, maxLength, minItems, maxItems } = schema;
  const range = (least, most, what) => {
    if (least !== undefined && most !== undefined) return `${least} to ${most}${what}`;
    if (least === 1 && what) return "not empty";
    if (least !== undefined) return `at least ${least}${what}`;
    return most === undefined ? undefined : `at most ${most}${what}`;
  };
  const said = [
    range(minimum, maximum, ""), range(minLength, maxLength, " characters"), range(minItems, maxItems, " entries"),
    exclusiveMinimum === undefined ? undefined : `more than ${exclusiveMinimum}`,
    schema.default === undefined ? undefined : `default ${schema.default}`,
  ];
  return said.filter(Boolean).join(", ");
}

/** Name, type and words of one value, and its members if it is an object that has no name of its own. */
function row(name, schema, required, about) {
  const limits = bounds(schema);
  const nested = schema.properties ? schema : schema.items?.properties ? schema.items : undefined;
  return el("tr", {},
    el("td", {}, el("span", { class: required ? "name must" : "name" }, name)),
    el("td", {},
      el("span", { class: "type" }, type(schema), limits && ` · ${limits}`),
      prose(about ?? schema.description),
      nested && members(nested)));
}

function members(schema) {
  const required = new Set(schema.required);
  return el("table", {}, Object.entries(schema.properties).map(([name, member]) => row(name, member, required.has(name))));
}

function shape(schema) {
  return schema.properties ? members(schema) : el("p", { class: "type" }, type(schema), bounds(schema) && ` · ${bounds(schema)}`);
}

/** The requests of an operation: its examples by name, each over parameters and body. */
function requests(operation) {
  const body = operation.requestBody?.content["application/json"]?.examples ?? {};
  const names = new Set(Object.keys(body));
  for (const parameter of operation.parameters ?? []) Object.keys(parameter.examples ?? {}).forEach((name) => names.add(name));
  return [...names].map((name) => ({ name, body: body[name]?.value, values: (operation.parameters ?? [])
    .filter((parameter) => parameter.examples?.[name]).map((parameter) => [parameter, parameter.examples[name].value]) }));
}

const quoted = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;

function curl(base, method, path, request) {
  let target = path;
  const query = new URLSearchParams();
  const lines = [];
  for (const [parameter, value] of request.values) {
    if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(value));
    if (parameter.in === "query") query.set(parameter.name, value);
    if (parameter.in === "header") lines.push(`-H ${quoted(`${parameter.name}: ${value}`)}`);
  }
  if (request.body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(request.body, null, 2))}`);
  const search = query.size ? `?${query}` : "";
  const url = new URL(target.slice(1), base).href + search;
  return [`curl -i ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${quoted(url)}`, ...lines].join(" \\\n  ");
}

function example(text, name) {
  const copy = el("button", { type: "button" }, "copy");
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(text);
    copy.textContent = "copied";
  });
  return el("figure", { class: "example" }, name && el("figcaption", {}, name.replaceAll("-", " ")), el("pre", {}, el("code", {}, text)), copy);
}

function answer([status, response]) {
  const kinds = Object.entries(response.content ?? {});
  const headers = Object.entries(response.headers ?? {});
  return el("tr", {},
    el("td", {}, el("span", { class: `status s${status[0]}` }, status)),
    el("td", {},
      el("p", {}, inline(response.description)),
      kinds.filter(([kind]) => kind !== "application/problem+json").map(([kind, { schema }]) => [
        el("p", { class: "type" }, `${kind} · `, type(schema)), schema.properties && members(schema)]),
      headers.length > 0 && el("p", { class: "headers" }, headers.flatMap(([name, header], i) => [
        i ? ", " : "", el("code", { title: header.description }, name)]))));
}

function operation(base, path, method, operation) {
  const parameters = operation.parameters ?? [];
  const inside = el("div", { class: "inside" }, prose(operation.description));
  const sent = requests(operation);
  const simple = sent.length === 0 && method === "get" && !path.includes("{") ? [{ values: [] }] : [];
  for (const [place, title] of [["path", "Path"], ["query", "Query"], ["header", "Headers"]]) {
    const here = parameters.filter((parameter) => parameter.in === place);
    if (here.length === 0) continue;
    inside.append(el("h4", {}, title), el("table", {}, here.map(({ name, schema, required, description }) => row(name, schema, required, description))));
  }
  if (operation.requestBody) {
    const { schema } = operation.requestBody.content["application/json"];
    inside.append(el("h4", {}, operation.requestBody.required ? "Body" : "Body, which may be missing"), el("p", {}, type(schema)));
  }
  const lines = [...sent, ...simple].map((request) => example(curl(base, method, path, request), request.name));
  if (lines.length > 0) inside.append(el("h4", {}, lines.length > 1 ? "Examples" : "Example"), ...lines);
  inside.append(el("h4", {}, "Answers"), el("table", {}, Object.entries(operation.responses).map(answer)));
  return el("details", { class: "operation", id: operation.operationId }, el("summary", {},
    el("span", { class: `method ${method}` }, method.toUpperCase()), el("span", { class: "path" }, path),
    el("span", { class: "quiet" }, operation.summary)), inside);
}

function draw(spec) {
  const base = new URL(spec.servers?.[0]?.url ?? "./", new URL("openapi.json", location.href));
  document.title = spec.info.title;
  page.replaceChildren(el("h1", {}, spec.info.title, " ", el("small", {}, spec.info.version)), ...prose(spec.info.description),
    el("p", { class: "quiet" }, "For programs: ", el("a", { href: "openapi.json" }, "openapi.json"), ` (OpenAPI ${spec.openapi})`));
  const tags = new Map();
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const tag = described.tags?.[0] ?? "other";
      tags.set(tag, [...(tags.get(tag) ?? []), [path, method, described]]);
    }
  }
  const order = (spec.tags ?? []).map((tag) => tag.name);
  const place = (tag) => (order.includes(tag) ? order.indexOf(tag) : order.length);
  const about = (tag) => spec.tags?.find(({ name }) => name === tag)?.description;
  for (const [tag, operations] of [...tags].sort(([a], [b]) => place(a) - place(b))) {
    page.append(el("h2", {}, tag), ...prose(about(tag), { class: "quiet" }), ...operations.map((one) => operation(base, ...one)));
    contents.append(el("h2", {}, tag), ...operations.map(([, method, described]) => el("a", { href: `#${described.operationId}` },
      el("span", { class: `method ${method}` }, method.toUpperCase()), described.summary)));
  }
  page.append(el("h2", { id: "shapes" }, "Shapes"));
  contents.append(el("h2", {}, el("a", { href: "#shapes" }, "Shapes")));
  for (const [name, schema] of Object.entries(spec.components?.schemas ?? {})) {
    page.append(el("section", { class: "shape", id: `shape-${name}` }, el("h3", {}, name), prose(schema.description), shape(schema)));
  }
}

/** An operation that a link names is opened. */
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}

fetch("openapi.json").then((response) => response.json()).then((spec) => {
  draw(spec);
  open();
  addEventListener("hashchange", open);
}).catch((error) => page.replaceChildren(el("p", {}, `The description cannot be shown: ${error}. It stands in `, el("a", { href: "openapi.json" }, "openapi.json"), ".")));
