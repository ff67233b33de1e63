import { sh } from '../core/script.ts'
import type { RotationWorld } from '../core/transaction.ts'

export type RunOnHost = RotationWorld['runOnHost']

/**
 * Sets `folder`: where rota keeps what it has to know on a host. Others may enter it, since the locks in it are read by
 * every user that a rotation becomes; the journals in it are for its owner alone.
 */
export const locate = sh`
umask 022
folder=$p_folder
if [ -n "$folder" ]; then :
elif [ "$(id -u)" = 0 ]; then folder=/var/lib/rota
else folder=$HOME/.local/state/rota
fi
`
