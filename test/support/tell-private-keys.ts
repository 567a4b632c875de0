/**
 * A process of a test tells its private keys. A module by itself, to be there before the backend is.
 *
 * @module
 */

import { watchPrivateKeys } from "./private-keys.ts"
import { tellOutside } from "./told-secrets.ts"
import type { Tell } from "./watched-backend.ts"

/** Tells the process that watches this one. */
export const tell: Tell = tellOutside()
watchPrivateKeys(tell.secret)
