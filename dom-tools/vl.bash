# SPDX-License-Identifier: MIT
# Completion of vl(1) for bash. All knowledge (verbs, options, live names and ids of domains) is in
# vl's own command table; `vl __complete WORD...` prints the candidates for the last word,
# or `:file` where a file goes.

_vl()
{
	local IFS=$'\n'
	COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	if [ "${COMPREPLY[*]}" = :file ]; then
		compopt -o filenames 2>/dev/null || true
		COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")) || COMPREPLY=()
	fi
}

complete -F _vl vl
