/**
 * A table of routes that is small enough for a page: literal segments, `:name` for one, and `**` at the end for all that follow.
 * The one that says most wins, as it does at an endpoint.
 *
 * @module
 */

/** Finds what is in the table for a request; undefined where nothing is. */
export type RouteTable<Entry> = (method: string, path: string) => Entry | undefined

interface Row<Entry> {
  readonly method: string | undefined
  readonly segments: readonly string[]
  readonly entry: Entry
}

const ROUTE = /^(?:([A-Z]+) )?(?=\/)((?:\/(?::\w+|[\w.~!$&'+,;=@%-]*))*(?:\/\*\*)?)$/

const segmentsOf = (path: string): string[] => path.split("/").slice(1)

/** Segment by segment: literal before `:name` before `**`; then with a method before without. */
const rankOf = ({ method, segments }: Row<unknown>): string =>
  segments.map((segment) => (segment === "**" ? "2" : segment.startsWith(":") ? "1" : "0")).join("") +
  (method === undefined ? "/" : ".")

const isFor = ({ method, segments }: Row<unknown>, asked: string, path: readonly string[]): boolean => {
  if (method !== undefined && method !== asked) return false
  const isOpen = segments.at(-1) === "**"
  const fixed = isOpen ? segments.slice(0, -1) : segments
  if (isOpen ? path.length < fixed.length : path.length !== fixed.length) return false
  return fixed.every((segment, index) =>
    segment.startsWith(":") ? path[index] !== "" : segment === path[index],
  )
}

/**
 * Reads a table.
 *
 * @throws `TypeError` naming the route that is none.
 */
export function readRouteTable<Value, Entry>(
  routes: Readonly<Record<string, Value>>,
  read: (value: Value, route: string) => Entry,
): RouteTable<Entry> {
  const rows = Object.entries(routes).map(([route, value]): Row<Entry> => {
    const [, method, pattern] = ROUTE.exec(route) ?? []
    if (pattern === undefined) {
      throw new TypeError(`routes: "${route}" is not a path such as "/a/:id", "/a/**" or "POST /a"`)
    }
    return { method, segments: segmentsOf(pattern), entry: read(value, route) }
  })
  rows.sort((a, b) => (rankOf(a) < rankOf(b) ? -1 : 1))
  return (method, path) => {
    const segments = segmentsOf(path)
    return rows.find((row) => isFor(row, method, segments))?.entry
  }
}
