import { runtimeFault } from '../fault.ts'

type Part = number | string

/** Python's LooseVersion: digits, letters and what stands between them; dots only separate. */
function looseParts(version: string): Part[] {
  return version
    .split(/(\d+|[a-z]+|\.)/)
    .filter(part => part !== '' && part !== '.')
    .map(part => (/^\d+$/.test(part) ? Number(part) : part))
}
function compareParts(a: readonly Part[], b: readonly Part[], describe: () => string): number {
  const shortest = Math.min(a.length, b.length)
  for (let i = 0; i < shortest; i++) {
    const [x, y] = [a[i]!, b[i]!]
    if (x === y) continue
    if (typeof x !== typeof y) throw runtimeFault(`${describe()}: '${x}' and '${y}' cannot be compared`)
    return x < y ? -1 : 1
  }
  return a.length - b.length
}

/** `1.2`, `1.2.3a1`: two or three numbers and a pre-release. */
function strictParts(version: string): Part[] {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?(?:([ab])(\d+))?$/.exec(version)
  if (!match) throw runtimeFault(`invalid version number '${version}'`)
  const [, major, minor, patch = '0', letter, number = '0'] = match
  return [Number(major), Number(minor), Number(patch), letter ?? 'final', Number(number)]
}

const semantic =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([\da-zA-Z-]+(?:\.[\da-zA-Z-]+)*))?(?:\+[\da-zA-Z.-]+)?$/
/** Semantic Versioning 2.0.0, item 11. */
function compareSemantic(a: string, b: string): number {
  const [x, y] = [semantic.exec(a), semantic.exec(b)]
  if (!x || !y) throw runtimeFault(`invalid semantic version '${x ? b : a}'`)
  const core = compareParts(x.slice(1, 4).map(Number), y.slice(1, 4).map(Number), () => 'version')
  if (core !== 0 || x[4] === y[4]) return core
  if (x[4] === undefined) return 1
  return y[4] === undefined ? -1 : comparePrerelease(x[4].split('.'), y[4].split('.'))
}
function comparePrerelease(a: readonly string[], b: readonly string[]): number {
  const shortest = Math.min(a.length, b.length)
  for (let i = 0; i < shortest; i++) {
    const [x, y] = [a[i]!, b[i]!]
    if (x === y) continue
    const [isXNumber, isYNumber] = [/^\d+$/.test(x), /^\d+$/.test(y)]
    if (isXNumber && isYNumber) return Number(x) - Number(y)
    if (isXNumber !== isYNumber) return isXNumber ? -1 : 1
    return x < y ? -1 : 1
  }
  return a.length - b.length
}

/** PEP 440: epoch, release, pre, post and dev, as numbers that compare in the right order. */
function pep440Parts(version: string): number[][] {
  const match =
    /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:[-_.]?(post|rev|r)[-_.]?(\d*)|-(\d+))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+[a-z\d._-]+)?$/i.exec(
      version.trim(),
    )
  if (!match) throw runtimeFault(`invalid PEP 440 version '${version}'`)
  const [, epoch = '0', release, pre, preNumber, post, postNumber, implicitPost, dev, devNumber] = match
  const numbers = release!.split('.').map(Number)
  while (numbers.length > 1 && numbers.at(-1) === 0) numbers.pop()
  const hasPost = post !== undefined || implicitPost !== undefined
  const rank =
    pre === undefined ? (dev !== undefined && !hasPost ? -1 : 3) : 'abcpr'.indexOf(pre[0]!.toLowerCase())
  return [
    [Number(epoch)],
    numbers,
    [Math.min(rank, rank < 0 ? -1 : rank >= 2 && pre !== undefined ? 2 : rank), Number(preNumber || 0)],
    [hasPost ? 1 : 0, Number(postNumber || implicitPost || 0)],
    [dev === undefined ? 1 : 0, Number(devNumber || 0)],
  ]
}
function comparePep440(a: string, b: string): number {
  const [x, y] = [pep440Parts(a), pep440Parts(b)]
  for (const [index, part] of x.entries()) {
    const order = compareParts(part, y[index]!, () => 'version')
    if (order !== 0) return order
  }
  return 0
}

/** Negative, 0 or positive by a versioning scheme of Ansible's `version` test. */
export function compareVersions(a: string, b: string, type: string): number {
  switch (type) {
    case 'loose':
      return compareParts(looseParts(a), looseParts(b), () => `Version comparison failed`)
    case 'strict':
      return compareParts(strictParts(a), strictParts(b), () => 'Version comparison failed')
    case 'semver':
    case 'semantic':
      return compareSemantic(a, b)
    case 'pep440':
      return comparePep440(a, b)
    default:
      throw runtimeFault(
        `Invalid version type (${type}). Must be one of loose, strict, semver, semantic, pep440`,
      )
  }
}
