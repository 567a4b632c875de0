/**
 * Headers of this library's own making: valid already, with names in lower case, and no cookies. `Headers` would check each of them again
 * at every step.
 *
 * @module
 */

type Pair = [name: string, value: string]

/** What `Headers` would hold. */
export class HeaderMap extends Map<string, string> {
  append(name: string, value: string): void {
    const before = this.get(name)
    this.set(name, before === undefined ? value : `${before}, ${value}`)
  }

  /** In the order of their names, as `Headers` gives them. */
  sorted(): Pair[] {
    return [...this].sort(([a], [b]) => (a < b ? -1 : 1))
  }
}
