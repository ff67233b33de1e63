import { problem } from '../core/error.ts'
import { sh } from '../core/script.ts'
import type { RotationWorld } from '../core/transaction.ts'

const readClock = sh`date -u +%Y-%m-%dT%H:%M:%SZ`

/**
 * Whether an approval has expired, the hosts say as well: whoever runs rota can set their own clock back. Of those that answer more than
 * half have to say so, since a host's clock may be wrong. Throws E_APPROVAL.
 */
export async function refuseExpired(
  { hosts, runOnHost }: Pick<RotationWorld, 'hosts' | 'runOnHost'>,
  expires: Date,
): Promise<void> {
  const ask = async (host: string): Promise<readonly number[]> => {
    const ran = await runOnHost(host, readClock, {}).catch(() => undefined)
    const time = Date.parse(ran?.stdout.toString('utf8').trim() ?? '')
    return Number.isNaN(time) ? [] : [time]
  }
  const clocks = (await Promise.all(hosts.map(ask))).flat()
  const late = clocks.filter(time => time >= expires.getTime())
  if (late.length * 2 <= clocks.length) return
  throw problem(
    'E_APPROVAL',
    `the approval expired at ${expires.toISOString()} by the clocks of ${late.length} of ${clocks.length} hosts`,
    {
      hint: 'look at the clock of this machine and at those of the hosts; then have the plan approved anew: rota approve PLAN',
    },
  )
}
