package transform

import "time"

// parseRFC3339 reads a timestamp of RFC 3339 in milliseconds, rounded down. A
// space may stand for the T. The time zone may be left out: it is then the given
// one. Unlike time.Parse it does not allocate.
func parseRFC3339(s string, zone *time.Location) (ms int64, ok bool) {
	const dateTime = len("2006-01-02T15:04:05")
	if len(s) < dateTime || s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return 0, false
	}
	d, ok := parseDate(s[:10])
	if !ok {
		return 0, false
	}
	second, ok := parseClock(s[11:dateTime])
	if !ok {
		return 0, false
	}
	fraction, rest, ok := parseFraction(s[dateTime:])
	if !ok {
		return 0, false
	}
	if rest == "" && zone != time.UTC {
		at := time.Date(d.year, time.Month(d.month), d.day, 0, 0, int(second), 0, zone)
		return at.UnixMilli() + fraction, true
	}
	offset, ok := parseOffset(rest)
	return (d.sinceEpoch()*86400+second-offset)*1000 + fraction, ok
}

// date is a day of the Gregorian calendar.
type date struct{ year, month, day int }

// parseDate reads YYYY-MM-DD.
func parseDate(s string) (d date, ok bool) {
	century, ok1 := twoDigits(s[0:2])
	year, ok2 := twoDigits(s[2:4])
	month, ok3 := twoDigits(s[5:7])
	day, ok4 := twoDigits(s[8:10])
	if !ok1 || !ok2 || !ok3 || !ok4 || s[4] != '-' || s[7] != '-' {
		return d, false
	}
	d = date{100*century + year, month, day}
	return d, month >= 1 && month <= 12 && day >= 1 && day <= d.daysInMonth()
}

// parseClock reads HH:MM:SS in seconds.
func parseClock(s string) (seconds int64, ok bool) {
	hour, ok1 := twoDigits(s[0:2])
	minute, ok2 := twoDigits(s[3:5])
	second, ok3 := twoDigits(s[6:8])
	ok = ok1 && ok2 && ok3 && s[2] == ':' && s[5] == ':'
	return int64(hour*3600 + minute*60 + second), ok && hour <= 23 && minute <= 59 && second <= 59
}

func twoDigits(s string) (int, bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// parseFraction reads a decimal point and the digits behind it, if there are any,
// in milliseconds.
func parseFraction(s string) (ms int64, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	i, unit := 1, int64(100)
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		ms += int64(s[i]-'0') * unit
		unit /= 10
	}
	return ms, s[i:], i > 1
}

// parseOffset reads Z, an offset such as +02:00, or nothing, in seconds.
func parseOffset(s string) (seconds int64, ok bool) {
	switch {
	case s == "" || s == "Z" || s == "z":
		return 0, true
	case len(s) != len("+02:00") || s[0] != '+' && s[0] != '-' || s[3] != ':':
		return 0, false
	}
	hours, ok1 := twoDigits(s[1:3])
	minutes, ok2 := twoDigits(s[4:6])
	seconds = int64(hours*3600 + minutes*60)
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, ok1 && ok2 && hours <= 23 && minutes <= 59
}

func (d date) daysInMonth() int {
	switch d.month {
	case 2:
		if d.year%4 == 0 && (d.year%100 != 0 || d.year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// sinceEpoch counts the days since 1970-01-01, with years that begin in March, so
// that the leap day is the last.
func (d date) sinceEpoch() int64 {
	year, month := d.year, d.month
	if month <= 2 {
		year--
		month += 12
	}
	const marchOfYear0 = 719468 // Days from 0000-03-01 to 1970-01-01.
	return int64(365*year+floorDiv(year, 4)-floorDiv(year, 100)+floorDiv(year, 400)+
		(153*(month-3)+2)/5+d.day-1) - marchOfYear0
}

func floorDiv(a, b int) int {
	if a < 0 {
		a -= b - 1
	}
	return a / b
}
