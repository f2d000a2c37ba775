# SPDX-License-Identifier: MIT
# Completion of vl(1) for bash. All knowledge (verbs, options, live names and ids of domains) is in
# vl's own command table; `vl __complete WORD...` prints the candidates for the last word,
# or `:file` where a file goes.

# Bash ends words at colons, which PCI functions have: they are put together again, and what is
# before the last colon is not offered, since bash keeps that.

_vl()
{
	local IFS=$'\n' words=() word last
	for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
		if [ ${#words[@]} -gt 1 ] && { [ "$word" = : ] || [ "${words[-1]: -1}" = : ]; }; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
	done
	COMPREPLY=($("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null))
	last=${words[-1]}
	if [ "${COMPREPLY[*]}" = :file ]; then
		compopt -o filenames 2>/dev/null || true
		COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")) || COMPREPLY=()
	elif [ "$last" != "${COMP_WORDS[COMP_CWORD]}" ]; then
		COMPREPLY=("${COMPREPLY[@]#"${last%"${last##*:}"}"}")
	fi
}

complete -F _vl vl
