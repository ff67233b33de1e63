// The doors of a rotation on the operator's side, watched: every call that is not known to only read is two points, with no list
// of effects to keep. A method that is added tomorrow is a point tomorrow.
import type { AppendFile, Disk } from '../../src/rotation/disk.ts'
import type { Tripwire } from './tripwire.ts'

/** Methods that change nothing. Whoever adds one here says so in a review. */
export const onlyReads: ReadonlySet<string> = new Set(['read', 'list', 'close'])

function isFile(value: unknown): value is AppendFile {
  return typeof value === 'object' && value !== null && 'append' in value
}
function fullDisk(): Error {
  return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
}

/** A write is not one thing: half of it may be there when everything stops. */
async function appendTorn(file: AppendFile, bytes: Uint8Array, wire: Tripwire): Promise<void> {
  const half = Math.floor(bytes.length / 2)
  await wire.pass('disk append')
  await file.append(bytes.subarray(0, half))
  if (wire.isStruck && wire.fault === 'full-operator') throw fullDisk()
  await wire.pass('disk append, half')
  if (wire.isStruck && wire.fault === 'full-operator') throw fullDisk()
  await file.append(bytes.subarray(half))
  await wire.pass('disk append, done')
}

type Method = (...args: unknown[]) => Promise<unknown>

/** The same disk, or file, with a point before and after every effect. */
export function watchDisk<T extends Disk | AppendFile>(inner: T, wire: Tripwire): T {
  return new Proxy(inner, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key)
      if (typeof method !== 'function' || typeof key !== 'string') return method
      const call = (method as Method).bind(target)
      if (onlyReads.has(key)) return call
      return async (...args: unknown[]) => {
        if (key === 'append') return appendTorn(target as AppendFile, args[0] as Uint8Array, wire)
        await wire.pass(`disk ${key}`)
        if (key === 'createWhole' && wire.isStruck && wire.fault === 'full-operator') throw fullDisk()
        const result = await call(...args)
        await wire.pass(`disk ${key}, done`)
        return isFile(result) ? watchDisk(result, wire) : result
      }
    },
  })
}
