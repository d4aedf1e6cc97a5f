"""The words of JSON Schema that docs/*.schema.json use, and no others."""
import json
import os

FOLDER = os.path.join(os.path.dirname(__file__), '..', '..', 'docs')
TYPES = {'object': dict, 'string': str, 'boolean': bool, 'integer': int, 'number': (int, float),
         'null': type(None)}
KNOWN = {'$schema', '$id', '$defs', '$ref', 'title', 'description', 'type', 'required', 'const',
         'enum', 'properties', 'additionalProperties'}


def load(name):
    with open(os.path.join(FOLDER, name + '.schema.json'), encoding='utf-8') as file:
        return json.load(file)


def problems(value, schema, root, path='result'):
    """What of `value` is not as the schema wants it."""
    if not set(schema) <= KNOWN:
        raise AssertionError(f'{path}: words of the schema that nobody checks: {schema}')
    if '$ref' in schema:
        schema = root['$defs'][schema['$ref'].rpartition('/')[2]]
    names = schema.get('type', [])
    names = [names] if isinstance(names, str) else names
    if names and not any(isinstance(value, TYPES[name]) and
                         (name == 'boolean') == isinstance(value, bool) for name in names):
        yield f'{path}: {value!r} is no {" or ".join(names)}'
    if 'const' in schema and value != schema['const']:
        yield f'{path}: {value!r} is not {schema["const"]!r}'
    if 'enum' in schema and value not in schema['enum']:
        yield f'{path}: {value!r} is none of {schema["enum"]}'
    if not isinstance(value, dict):
        return
    for name in schema.get('required', []):
        if name not in value:
            yield f'{path}: {name} is missing'
    for name, member in value.items():
        rule = schema.get('properties', {}).get(name, schema.get('additionalProperties', {}))
        if rule is False:
            yield f'{path}: {name} is unknown'
        else:
            yield from problems(member, rule, root, f'{path}.{name}')
