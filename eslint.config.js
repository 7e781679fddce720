import js from '@eslint/js';
import globals from 'globals';

const MARKUP = 'MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|write)$/]';
const SHARED = ':matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration[kind!="const"]';

export default [
  { ignores: ['app/web/dist/'] },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: 'error',
      'max-lines': ['error', 300],
      'max-len': ['error', 120],
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-shadow': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['app/web/src/**'],
    languageOptions: { globals: globals.browser },
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: MARKUP, message: 'Texts come from anybody: use textContent, or build nodes.' },
        { selector: SHARED, message: 'Components share no state: keep it in what the component makes.' },
      ],
    },
  },
  {
    files: ['*.js', 'app/web/build.js'],
    languageOptions: { globals: globals.node },
  },
  {
    files: ['tests/web/**'],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
  },
];
