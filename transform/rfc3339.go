package transform

import "time"

// parseRFC3339 reads a timestamp of RFC 3339 in milliseconds, rounded down. A
// space may stand for the T. The time zone may be left out: it is then the given
// one. Unlike time.Parse it does not allocate.
func parseRFC3339(s string, zone *time.Location) (ms int64, ok bool) {
	const dateTime = len("2006-01-02T15:04:05")
	if len(s) < dateTime || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' ||
		s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return 0, false
	}
	year, ok1 := twoDigits(s[0:2])
	yy, ok2 := twoDigits(s[2:4])
	month, ok3 := twoDigits(s[5:7])
	day, ok4 := twoDigits(s[8:10])
	hour, ok5 := twoDigits(s[11:13])
	minute, ok6 := twoDigits(s[14:16])
	second, ok7 := twoDigits(s[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	year = 100*year + yy
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	fraction, rest, ok := parseFraction(s[dateTime:])
	if !ok {
		return 0, false
	}
	if rest == "" && zone != time.UTC {
		at := time.Date(year, time.Month(month), day, hour, minute, second, 0, zone)
		return at.UnixMilli() + fraction, true
	}
	offset, ok := parseOffset(rest)
	seconds := daysSinceEpoch(year, month, day)*86400 + int64(hour*3600+minute*60+second) - offset
	return seconds*1000 + fraction, ok
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

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts the days from 1970-01-01 to a date of the Gregorian
// calendar, with years that begin in March, so that the leap day is the last.
func daysSinceEpoch(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	const marchOfYear0 = 719468 // Days from 0000-03-01 to 1970-01-01.
	return int64(365*year+floorDiv(year, 4)-floorDiv(year, 100)+floorDiv(year, 400)+
		(153*(month-3)+2)/5+day-1) - marchOfYear0
}

func floorDiv(a, b int) int {
	if a < 0 {
		a -= b - 1
	}
	return a / b
}
