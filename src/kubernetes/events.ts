// Events of objects, each told once: its name follows from what it tells, so that whoever tells it again is refused by the API itself.
import { createHash } from 'node:crypto'
import { NOTE_CHARS_MAX, TOLD_MAX, WRITE_REQUEST_MS } from '../limits.ts'
import type { Notice } from '../objects/notices.ts'
import { CONTROLLER_NAME } from '../objects/object-status.ts'
import type { Clock } from '../ports.ts'
import type { Api } from './api.ts'
import type { Controlled } from './controlled-objects.ts'
import type { Failure } from './failure.ts'
import { microTime } from './lease-record.ts'
import { sendJson } from './request.ts'

export interface EventsOptions {
  readonly api: Api
  readonly clock: Clock
  /** Who tells: the identity of this process. */
  readonly instance: string
}

export class Events {
  readonly #options: EventsOptions
  /** A server forgets Events after an hour; what we told we do not tell again. */
  readonly #told = new Set<string>()

  constructor(options: EventsOptions) {
    this.#options = options
  }

  /** Null where it is told, by us or by another. */
  async tell(about: Controlled, notice: Notice, signal: AbortSignal): Promise<Failure | null> {
    const { api, clock, instance } = this.#options
    const { name, namespace, uid, resourceVersion } = about.raw.metadata
    const digest = createHash('sha256').update(`${uid} ${notice.id}`).digest('hex').slice(0, 16)
    const eventName = `${name.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.${digest}`
    if (this.#told.has(eventName)) return null
    // Events of objects without a namespace are kept in this one, as everywhere.
    const place = namespace ?? 'default'
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: eventName, namespace: place },
      eventTime: microTime(clock.wallMs()),
      reportingController: CONTROLLER_NAME,
      reportingInstance: instance.slice(0, 128),
      type: 'Warning',
      action: 'Observed',
      reason: notice.reason,
      note: notice.note.slice(0, NOTE_CHARS_MAX),
      regarding: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        uid,
        resourceVersion,
      },
    }
    const path = `/apis/events.k8s.io/v1/namespaces/${place}/events`
    const written = { method: 'POST', type: 'application/json', body } as const
    const answer = await sendJson(api, path, written, { idleMs: WRITE_REQUEST_MS, signal })
    if (answer.kind === 'failed' && answer.status !== 409) return answer
    if (this.#told.size >= TOLD_MAX) this.#told.clear()
    this.#told.add(eventName)
    return null
  }
}
