// The lab's production host for the crash trials: the panel and its database are containers of an engine on the host.
import { join } from 'node:path'
import { repository } from '../../../demo/panel-host.ts'
import { startProductionHost } from '../../lab/production-host.ts'
import { coreCommands, enter, runOn, type TrialHost } from './trial-host.ts'

/** What a full disk hits is small and in memory: the container's own root is this machine's disk. */
const disk = '/disk'
const makeDisk = `set -e
mkdir -p ${disk} /var/lib/rota; mount -t tmpfs -o size=96m disk ${disk}
cp -a /opt/proxpanel /var/lib/rota ${disk}; mkdir -m 1777 ${disk}/tmp
for pair in /opt/proxpanel:proxpanel /var/lib/rota:rota /tmp:tmp; do mount --bind "${disk}/\${pair#*:}" "\${pair%%:*}"; done
`
/** The panel's port listens on the host's own loopback; the trials come from outside, past its sshd. */
const publish = `set -e
echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet
iptables -w 5 -t nat -I PREROUTING -i eth0 -p tcp --dport 3000 -j DNAT --to-destination 127.0.0.1:3000
`

/** Starts the host with its stack (half a minute). */
export async function openContainerHost(): Promise<TrialHost> {
  const { ssh, pid, address, close } = await startProductionHost()
  try {
    runOn(pid, makeDisk)
    runOn(pid, publish)
    return {
      pid,
      login: ssh,
      panelUrl: `http://${address}:3000`,
      playbook: join(repository, 'test', 'crash', 'real', 'container-rotation.yml'),
      rotated: ['JWT_SECRET', 'POSTGRES_PASSWORD', 'DATABASE_URL', 'ADMIN_PASSWORD'],
      disk,
      commands: [...coreCommands, 'docker'],
      askDatabase: async password => askDatabase(pid, password),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** From the database's container to its own address, for which it asks everybody for a password. */
function askDatabase(pid: number, password: string): string {
  const ask = `read -r PGPASSWORD; export PGPASSWORD LC_ALL=C; psql -wAtq -h "$(hostname -i)" -U proxpanel -c 'SELECT 1'`
  const words = ['docker', 'exec', '-i', 'proxpanel-db-1', 'sh', '-c', ask]
  const { status, stderr } = enter(pid, words, `${password}\n`)
  if (status === 0) return 'accepted'
  if (stderr.includes('password authentication failed')) return 'refused'
  return `no answer, exit ${status}: ${stderr}`
}
