/**
 * Which level a route demands: configured here, never taken from a message.
 *
 * @module
 */

import { addRoute, createRouter, findRoute } from "rou3"

import { describe } from "../base/text.ts"

/**
 * What a route demands.
 *
 * - `high` and `medium`: the whole message is sealed, both ways.
 * - `low`: the transport alone protects the request; a sealed one is opened all the same, and answered sealed.
 */
export type Level = "high" | "medium" | "low"

/**
 * Routes and their levels: a pattern, or a method and a pattern, such as `"POST /transfers"`, `"/accounts/:id"`, `"/public/**"`
 * (patterns of rou3). A pattern without a method is for all of them.
 */
export type Routes = Readonly<Record<string, Level>>

/** Finds the level of a request; undefined for a route that nothing names. */
export type LevelOf = (method: string, path: string) => Level | undefined

const LEVELS: readonly unknown[] = ["high", "medium", "low"]
const ROUTE = /^(?:([A-Z]+) )?(\/\S*)$/

/**
 * Reads the option `routes`.
 *
 * @throws `TypeError` naming the route that is none.
 */
export function readRoutes(routes: Routes): LevelOf {
  if (typeof routes !== "object" || (routes as unknown) === null || Object.keys(routes).length === 0) {
    throw new TypeError(
      `options.routes must name at least one route and its level, such as { "/**": "high" }, not ${describe(routes)}`,
    )
  }
  const router = createRouter<Level>()
  for (const [route, level] of Object.entries(routes)) {
    const [, method, pattern] = ROUTE.exec(route) ?? []
    if (pattern === undefined) {
      throw new TypeError(`options.routes: "${route}" is not a path such as "/a/:id" or "POST /a"`)
    }
    if (!LEVELS.includes(level)) {
      throw new TypeError(`options.routes: the level of "${route}" must be high, medium or low`)
    }
    addRoute(router, method ?? "", pattern, level)
  }
  return (method, path) => findRoute(router, method, path)?.data
}
