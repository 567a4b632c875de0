import { expect, test } from "vitest"

import { addRoute, createRouter, findRoute } from "rou3"

import { readRouteTable } from "../../src/http/route-table.ts"

const PATTERNS = [
  "/a",
  "/a/:id",
  "/a/b",
  "POST /a/b",
  "/a/**",
  "/a/:id/c",
  "/:x/b",
  "/d/**",
  "GET /d/:e",
  "/",
]
const PATHS = ["/a", "/a/b", "/a/x", "/a/x/c", "/a/x/y/z", "/q/b", "/q/c", "/d", "/d/e", "/d/e/f", "/", "/e"]

const tableOf = (patterns: readonly string[]) =>
  readRouteTable(Object.fromEntries(patterns.map((pattern) => [pattern, pattern])), (value) => value)

test.each([
  ["in order", PATTERNS],
  ["in reverse", [...PATTERNS].reverse()],
])("finds what an endpoint's router finds, with the routes %s", (_, patterns) => {
  const find = tableOf(patterns)
  const router = createRouter<string>()
  for (const pattern of patterns) {
    const [path = "", method = ""] = pattern.split(" ").reverse()
    addRoute(router, method, path, pattern)
  }
  for (const method of ["GET", "POST"]) {
    for (const path of PATHS) {
      expect([method, path, find(method, path)]).toEqual([
        method,
        path,
        findRoute(router, method, path)?.data,
      ])
    }
  }
})

test("takes a name for one segment that is not empty", () => {
  expect(tableOf(["/a/:id"])("GET", "/a/")).toBeUndefined()
})

test.each([
  "a",
  "",
  "/a/*",
  "/a/**/b",
  "/a/:id?",
  "/a/:id(\\d+)",
  "/a/**:rest",
  "post /a",
  "POST  /a",
  "/a b",
])('does not take "%s" for a route', (route) => {
  expect(() => tableOf([route])).toThrow(`routes: "${route}" is not a path`)
})
