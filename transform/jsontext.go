package transform

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends text without its JSON escapes. Half a surrogate pair
// becomes U+FFFD, as in encoding/json. The text has been scanned: its escapes are
// complete.
func appendUnescaped(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, size := escapedRune(s)
			dst, s = utf8.AppendRune(dst, r), s[size:]
		default:
			dst = append(dst, c)
		}
	}
}

// escapedRune reads the rune whose \u is in front of s, and tells how much of s it
// takes: the second half of a surrogate pair may follow.
func escapedRune(s string) (r rune, size int) {
	r, _ = hex4(s)
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if strings.HasPrefix(s[4:], `\u`) {
		low, _ := hex4(s[6:])
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 10
		}
	}
	return utf8.RuneError, 4
}

// hex4 reads four hexadecimal digits.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for i := range 4 {
		c := s[i]
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
