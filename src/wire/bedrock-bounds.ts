// The fields in which Bedrock's families of models declare how much they may answer. The largest counts; a family with another name adds it here.
import type { CallDraft } from './call-draft.ts'
import { members, type Place } from './json-place.ts'
import type { RequestFields } from './request-fields.ts'

/** Anthropic, Mistral, Cohere, AI21 Jamba, DeepSeek; Claude 2; Llama; J2; OpenAI's; Hugging Face's servers. */
const BOUNDS = ['max_tokens', 'max_tokens_to_sample', 'max_gen_len', 'maxTokens', 'max_completion_tokens', 'max_new_tokens']
/** Cohere, J2, OpenAI's. */
const CHOICES = ['num_generations', 'numResults', 'n']

/** Members of the outermost object, and of the objects that hold a model's parameters. */
export function boundMembers(draft: CallDraft, fields: RequestFields): Record<string, Place> {
  const bound = (name: string): Place => fields.count(name, value => draft.bound(value))
  const within = (object: string, names: readonly string[]): Place => ({
    measure: null,
    enter: kind => {
      if (kind !== 'object' && kind !== 'null') fields.refuse(`The field "${object}" must be an object.`)
    },
    members: members(Object.fromEntries(names.map(name => [name, bound(`${object}.${name}`)]))),
  })
  return {
    ...Object.fromEntries(BOUNDS.map(name => [name, bound(name)])),
    ...Object.fromEntries(
      CHOICES.map(name => [
        name,
        fields.count(name, count => {
          if (count > draft.choices) draft.choices = count
        }),
      ]),
    ),
    inferenceConfig: within('inferenceConfig', ['maxTokens', 'max_new_tokens']),
    textGenerationConfig: within('textGenerationConfig', ['maxTokenCount']),
    parameters: within('parameters', ['max_new_tokens', 'max_tokens']),
  }
}
