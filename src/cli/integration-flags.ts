import type { Command } from 'commander'
import { addRunFlags, type RunFlags } from './options.ts'

/** The checklist's arguments, and the secret that each gives. */
export const secretFlags = {
  proxmoxTokenSecret: ['--proxmox-token-secret', 'PROXMOX_TOKEN_SECRET'],
  paystackSecret: ['--paystack-secret', 'PAYSTACK_SECRET'],
  flutterwaveWebhookHash: ['--flutterwave-webhook-hash', 'FLUTTERWAVE_WEBHOOK_HASH'],
  alertWebhookUrl: ['--alert-webhook-url', 'ALERT_WEBHOOK_URL'],
  slackWebhookUrl: ['--slack-webhook-url', 'SLACK_WEBHOOK_URL'],
  smtpPassword: ['--smtp-password', 'SMTP_PASSWORD'],
} as const
export type IntegrationFlags = RunFlags & { readonly [K in keyof typeof secretFlags]?: string } & {
  readonly proxmoxTokenId?: string
  /** True without a run's name. */
  readonly finalizePaymentWebhookGrace?: string | true
}

/** The flags of `rota rotate-integration-secrets`: run's own, and those of the script that the command stands for. */
export function addIntegrationFlags(command: Command): Command {
  addRunFlags(command)
  for (const [flag, name] of Object.values(secretFlags))
    command.option(`${flag} <where>`, `--secret ${name}=WHERE: - asks, @FILE and fd:N read, cmd:COMMAND runs`)
  return command
    .option('--proxmox-token-id <id>', 'USER@REALM!ID of the token whose secret is given, when it is another')
    .option('--finalize-payment-webhook-grace [run]', 'rota finalise: end the previous keys of the webhooks')
}
