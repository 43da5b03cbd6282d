// The schema of `metadata`, which Kubernetes checks by itself and CRDs do not describe. Fields that only a server writes may be there.

export const OBJECT_NAME_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
export const NAMESPACE_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'
export const LABEL_VALUE_PATTERN = '^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'

const written = {}

/** JSON Schema. */
export const METADATA: object = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', maxLength: 253, pattern: OBJECT_NAME_PATTERN },
    namespace: { type: 'string', maxLength: 63, pattern: NAMESPACE_PATTERN },
    labels: { type: 'object', additionalProperties: { type: 'string', maxLength: 63, pattern: LABEL_VALUE_PATTERN } },
    annotations: { type: 'object', additionalProperties: { type: 'string' } },
    creationTimestamp: written,
    deletionGracePeriodSeconds: written,
    deletionTimestamp: written,
    finalizers: written,
    generation: written,
    managedFields: written,
    ownerReferences: written,
    resourceVersion: written,
    selfLink: written,
    uid: written,
  },
}
