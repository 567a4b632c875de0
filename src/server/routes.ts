/**
 * Which level a route demands: configured here, never taken from a message.
 *
 * @module
 */

import { addRoute, createRouter, findRoute } from "rou3"

import { assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { type FieldCodecs, type FieldPolicies, readFieldPolicies } from "../fields/field-policies.ts"
import type { Policy } from "../fields/policy.ts"

/**
 * What a route demands.
 *
 * - `high`: the whole message is sealed, both ways.
 * - `medium`: the same; or, where the route has `fields`, those, and all the rest is bound to them.
 * - `low`: the transport alone protects the request; a sealed one is opened all the same, and answered sealed.
 */
export type Level = "high" | "medium" | "low"

/**
 * Routes and their levels: a pattern, or a method and a pattern, such as `"POST /transfers"`, `"/accounts/:id"`, `"/public/**"`
 * (patterns of rou3). A pattern without a method is for all of them.
 */
export type Routes = Readonly<Record<string, Level | RouteOptions>>

/** A route that demands more than a level. */
export interface RouteOptions {
  readonly level: Level
  /** What the principal must be allowed, all of it; wants `authenticate`. Default: nothing. */
  readonly scopes?: readonly string[]
  /**
   * Takes documents whose fields alone are sealed, too, and replies to those in kind: for routes of level `medium`. A policy is for
   * both ways, save that replies may lack what it requires; `{ request, reply }` has one for each, and without `reply`, replies are
   * sealed as a whole. What a policy says besides sealing holds for messages that are sealed as a whole, too. Default: whole
   * messages only.
   */
  readonly fields?: Policy | FieldPolicies
}

/** What a route demands, in full. */
export interface Route {
  readonly level: Level
  readonly scopes: readonly string[]
  readonly fields: FieldCodecs | undefined
}

/** Finds the route of a request; undefined for one that nothing names. */
export type RouteOf = (method: string, path: string) => Route | undefined

const LEVELS: readonly unknown[] = ["high", "medium", "low"]
const ROUTE = /^(?:([A-Z]+) )?(\/\S*)$/

function readDemand(route: string, demand: Level | RouteOptions): Route {
  const named: RouteOptions = typeof demand === "string" ? { level: demand } : demand
  assertOptions(named, `options.routes: "${route}"`, ["level", "scopes", "fields"])
  const { level, scopes = [], fields } = named
  if (!LEVELS.includes(level)) {
    throw new TypeError(`options.routes: the level of "${route}" must be high, medium or low`)
  }
  if (!Array.isArray(scopes) || scopes.some((scope) => typeof scope !== "string" || scope === "")) {
    throw new TypeError(`options.routes: the scopes of "${route}" must be an array of names`)
  }
  if (fields !== undefined && level !== "medium") {
    throw new TypeError(`options.routes: "${route}" has fields, which is for the level medium, not ${level}`)
  }
  return {
    level,
    scopes: [...(scopes as readonly string[])],
    fields: fields && readFieldPolicies(fields, `options.routes: the fields of "${route}"`),
  }
}

/** The routes that demand something of a principal. */
export function routesThat(routes: Routes, demand: (route: Route) => boolean): readonly string[] {
  return Object.entries(routes).flatMap(([name, route]) => (demand(readDemand(name, route)) ? [name] : []))
}

/**
 * Reads the option `routes`.
 *
 * @throws `TypeError` naming the route that is none.
 */
export function readRoutes(routes: Routes): RouteOf {
  if (typeof routes !== "object" || (routes as unknown) === null || Object.keys(routes).length === 0) {
    throw new TypeError(
      `options.routes must name at least one route and its level, such as { "/**": "high" }, not ${describe(routes)}`,
    )
  }
  const router = createRouter<Route>()
  for (const [route, demand] of Object.entries(routes)) {
    const [, method, pattern] = ROUTE.exec(route) ?? []
    if (pattern === undefined) {
      throw new TypeError(`options.routes: "${route}" is not a path such as "/a/:id" or "POST /a"`)
    }
    addRoute(router, method ?? "", pattern, readDemand(route, demand))
  }
  return (method, path) => findRoute(router, method, path)?.data
}
