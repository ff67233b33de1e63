import { createHash } from 'node:crypto'
import { runtimeFault } from '../fault.ts'
import { isInt, isText, type Py, typeName } from './kinds.ts'
import { toText } from './text.ts'

/** A source of random choices. */
export interface RandomSource {
  /** A whole number from 0 up to and without `count`. */
  below(count: number): number
}

/** Choices made with a float source, for when no seed asks for repeatable ones. */
export function floatSource(random: () => number): RandomSource {
  return { below: count => Math.floor(random() * count) }
}

const SIZE = 624
const MIDDLE = 397

/**
 * The Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) with Python's seeding and its way to whole numbers, so that
 * `60 | random(seed=inventory_hostname)` gives the minute that it gives in Ansible.
 */
class MersenneTwister implements RandomSource {
  private readonly state = new Uint32Array(SIZE)
  private index = SIZE

  constructor(key: readonly number[]) {
    this.seedPlain(19_650_218)
    let [i, j] = [1, 0]
    for (let k = Math.max(SIZE, key.length); k > 0; k--) {
      this.state[i] = (this.state[i]! ^ Math.imul(this.mixed(i), 1_664_525)) + key[j]! + j
      ;[i, j] = [this.advance(i), (j + 1) % key.length]
    }
    for (let k = SIZE - 1; k > 0; k--) {
      this.state[i] = (this.state[i]! ^ Math.imul(this.mixed(i), 1_566_083_941)) - i
      i = this.advance(i)
    }
    this.state[0] = 0x8000_0000
  }
  private seedPlain(seed: number): void {
    this.state[0] = seed
    for (let i = 1; i < SIZE; i++) this.state[i] = Math.imul(1_812_433_253, this.mixed(i)) + i
  }
  private mixed(i: number): number {
    const before = this.state[i - 1]!
    return before ^ (before >>> 30)
  }
  private advance(i: number): number {
    if (i + 1 < SIZE) return i + 1
    this.state[0] = this.state[SIZE - 1]!
    return 1
  }
  private twist(): void {
    for (let i = 0; i < SIZE; i++) {
      const bits = (this.state[i]! & 0x8000_0000) | (this.state[(i + 1) % SIZE]! & 0x7fff_ffff)
      this.state[i] = this.state[(i + MIDDLE) % SIZE]! ^ (bits >>> 1) ^ (bits & 1 ? 0x9908_b0df : 0)
    }
    this.index = 0
  }
  private next32(): number {
    if (this.index >= SIZE) this.twist()
    let y = this.state[this.index++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c_5680
    y ^= (y << 15) & 0xefc6_0000
    return (y ^ (y >>> 18)) >>> 0
  }
  /** Python's getrandbits() for up to 64 bits: low word first. */
  private bits(count: number): bigint {
    if (count <= 32) return BigInt(this.next32() >>> (32 - count))
    const low = BigInt(this.next32())
    return low | (this.bits(count - 32) << 32n)
  }
  below(count: number): number {
    const width = BigInt(count).toString(2).length
    let found = this.bits(width)
    while (found >= BigInt(count)) found = this.bits(width)
    return Number(found)
  }
}

function wordsOf(seed: bigint): number[] {
  const words: number[] = []
  for (let rest = seed; rest > 0n; rest >>= 32n) words.push(Number(rest & 0xffff_ffffn))
  return words.length > 0 ? words : [0]
}
/** Python's random.Random(seed) for a text or an int. */
export function seededSource(seed: Py): RandomSource {
  if (isText(seed)) {
    const bytes = Buffer.from(toText(seed))
    const hash = createHash('sha512').update(bytes).digest('hex')
    return new MersenneTwister(wordsOf(BigInt(`0x${bytes.toString('hex')}${hash}`)))
  }
  if (!isInt(seed)) throw runtimeFault(`a seed is a text or a whole number, not ${typeName(seed)}`)
  const size = BigInt(seed)
  return new MersenneTwister(wordsOf(size < 0n ? -size : size))
}

/** A shuffled copy, by Python's algorithm. */
export function shuffled(items: readonly Py[], random: RandomSource): Py[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[result[i], result[j]] = [result[j]!, result[i]!]
  }
  return result
}
