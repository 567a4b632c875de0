/**
 * The code that the documentation shows: where it stands, and what it says it gives.
 *
 * In TypeScript and JavaScript a statement may end in a comment: `opened.text() // "hello"` promises that value, written
 * as JSON or `undefined`, and `console.log("…", code) // "ERR_STALE"` that of the last argument. `await open(copy, …)
 * // throws ERR_REPLAYED` promises that refusal. In a shell block, the lines `# → ` after a command are all it prints.
 */

import { readdir, readFile } from "node:fs/promises"
import { isBuiltin } from "node:module"
import { join } from "node:path"

import ts from "typescript"

import { root } from "./run.js"

/**
 * @typedef {object} Example
 * @property {string} place File and line, for messages.
 * @property {"ts" | "js" | "sh"} language
 * @property {string} code
 * @property {"bun" | "deno"} [program] What runs it, where that is not Node: its second line says so.
 */

const RUN_BY = /^\/\/ .* Run: (bun|deno) /m
const FENCE = /^```(ts|js|sh)\n(.*?)^```$/gms
const PROMISE = /^\/\/ (?:throws (?<code>\w+)|(?<value>(?:["\d{[-]|(?:true|false|null|undefined)\b).*))$/

/** Examples of stores that want a server, or an SQLite that Node 20 does not bring: the stores' own tests run those. */
const NEEDS_MORE = isBuiltin("node:sqlite")
  ? /^import .* from "(?:redis|pg)"$/m
  : /^import .* from "(?:redis|pg|node:sqlite)"$/m

const PRELUDE = `import assert from "node:assert/strict"
const __keep = (value, expected) => (assert.deepEqual(value, expected), value)
`

/**
 * @param {string} file
 * @param {string} text
 * @param {number} [firstLine]
 * @returns {Example[]}
 */
function fencedIn(file, text, firstLine = 1) {
  return [...text.matchAll(FENCE)].map(({ 1: language = "", 2: code = "", index }) => ({
    place: `${file}:${firstLine + text.slice(0, index).split("\n").length - 1}`,
    language: /** @type {Example["language"]} */ (language),
    code,
  }))
}

/**
 * @param {string} file
 * @param {string} source
 */
function fencedInComments(file, source) {
  return [...source.matchAll(/\/\*\*.*?\*\//gs)].flatMap(({ 0: comment, index }) => {
    const text = comment.replaceAll(/^ *\* ?/gm, "")
    return fencedIn(file, text, source.slice(0, index).split("\n").length)
  })
}

/**
 * @param {string} folder
 * @param {string} ending
 */
async function filesIn(folder, ending) {
  const files = await readdir(join(root, folder), { recursive: true })
  const ours = files.filter((file) => !file.includes("node_modules"))
  return ours.filter((file) => file.endsWith(ending)).map((file) => `${folder}/${file}`)
}

/**
 * The README, CONTRIBUTING, the guides, the docstrings of src/, and the files of examples/.
 *
 * @returns {Promise<Example[]>}
 */
export async function collectExamples() {
  /** @param {string} file */
  const read = (file) => readFile(join(root, file), "utf8")
  const pages = ["README.md", "CONTRIBUTING.md", ...(await filesIn("docs/guides", ".md"))]
  const programs = (await filesIn("examples", ".mjs")).map(async (file) => {
    const code = await read(file)
    const program = /** @type {Example["program"]} */ (RUN_BY.exec(code)?.[1])
    return { place: file, language: /** @type {const} */ ("js"), code, ...(program && { program }) }
  })
  const found = await Promise.all([
    ...pages.map(async (file) => fencedIn(file, await read(file))),
    ...(await filesIn("src", ".ts")).map(async (file) => fencedInComments(file, await read(file))),
  ])
  // one that takes arguments is run by a test that gives them
  const alone = (await Promise.all(programs)).filter(({ code }) => !code.includes("process.argv"))
  return [...found.flat(), ...alone].filter(({ code }) => !NEEDS_MORE.test(code))
}

/**
 * @param {ts.Expression} expression
 * @param {string} comment
 */
function assertionOf(expression, comment) {
  const { code, value } = PROMISE.exec(comment)?.groups ?? {}
  const statement = expression.getText()
  if (code !== undefined) {
    return `await assert.rejects(async () => { ${statement} }, (error) => (error.code ?? error.name) === "${code}")`
  }
  if (value === undefined) return undefined
  const expected = value === "undefined" ? value : JSON.stringify(JSON.parse(value))
  const isLog = ts.isCallExpression(expression) && expression.expression.getText() === "console.log"
  if (!isLog) return `__keep(${statement}, ${expected})`
  const logged = expression.arguments.map((argument) => argument.getText())
  const last = logged.pop() ?? ""
  return `console.log(${[...logged, `__keep(${last}, ${expected})`].join(", ")})`
}

/**
 * JavaScript that holds an example to its promises.
 *
 * @param {Example} example
 */
export function instrument({ place, code }) {
  const tree = ts.createSourceFile(place, code, ts.ScriptTarget.ES2022, true)
  /** @type {{ start: number, end: number, text: string }[]} */
  const edits = []
  /** @param {ts.Node} node */
  const visit = (node) => {
    const [comment] = ts.getTrailingCommentRanges(code, node.end) ?? []
    if (ts.isExpressionStatement(node) && comment) {
      const text = assertionOf(node.expression, code.slice(comment.pos, comment.end))
      if (text !== undefined) edits.push({ start: node.getStart(tree), end: comment.end, text })
    } else ts.forEachChild(node, visit)
  }
  visit(tree)
  let result = code
  for (const { start, end, text } of edits.reverse())
    result = result.slice(0, start) + text + result.slice(end)
  const { outputText } = ts.transpileModule(PRELUDE + result, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  return { code: outputText, promises: edits.length }
}
