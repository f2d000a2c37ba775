# SPDX-License-Identifier: MIT
# Completion of vl(1) for bash. All knowledge (verbs, options, live names and ids of domains) is in
# vl's own command table; `vl __complete WORD...` prints the candidates for the last word.

_vl()
{
	local IFS=$'\n'
	COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}

complete -F _vl vl
