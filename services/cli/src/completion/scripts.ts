import { assertNever } from '../output/assert-never.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** The script for a shell. All three ask the command itself, so that they are never older than it. */
export function completionScript(shell: (typeof SHELLS)[number]): string {
  switch (shell) {
    case 'bash':
      return BASH;
    case 'zsh':
      return ZSH;
    case 'fish':
      return FISH;
    default:
      return assertNever(shell);
  }
}

const BASH = `_modfleet() {
  local IFS=$'\\n'
  COMPREPLY=($(modfleet __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _modfleet modfleet
`;

const ZSH = `#compdef modfleet
_modfleet() {
  local -a found
  found=("\${(@f)$(modfleet __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found
}
compdef _modfleet modfleet
`;

const FISH = `function __modfleet_complete
  set -l words (commandline -opc) (commandline -ct)
  modfleet __complete -- $words[2..-1] 2>/dev/null
end
complete -c modfleet -f -a '(__modfleet_complete)'
`;
