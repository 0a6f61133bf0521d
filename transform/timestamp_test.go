package transform

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// readTime reads a JSON value as a timestamp.
func readTime(t testing.TB, format, zone, doc string) (int64, Reason) {
	t.Helper()
	location, err := loadZone(zone)
	require.NoError(t, err)
	reader, err := newTimeReader(format, location)
	require.NoError(t, err)
	got, err := scanPaths(t, doc, nil)
	require.NoError(t, err)
	var scratch []byte
	return reader.milliseconds(&got[0], &scratch)
}

func TestTimestampsInEveryFormat(t *testing.T) {
	f := func(format, zone, doc, want string) {
		t.Helper()
		ms, reason := readTime(t, format, zone, doc)
		require.Empty(t, reason, doc)
		require.Equal(t, want, formatMillis(ms), doc)
	}
	const five = "2024-08-15T17:00:00Z"
	f("", "", `"2024-08-15T17:00:00"`, five)
	f("", "", `"2024-08-15T17:00:00Z"`, five)
	f("", "", `"2024-08-15t17:00:00z"`, five)
	f("", "", `"2024-08-15 17:00:00"`, five)
	f("", "", `"2024-08-15T17:00:00.1239"`, "2024-08-15T17:00:00.123Z")
	f("", "", `"2024-08-15T17:00:00.5+02:00"`, "2024-08-15T15:00:00.5Z")
	f("", "", `"2024-08-15T17:00:00-05:30"`, "2024-08-15T22:30:00Z")
	f("", "", `"\u0032024-08-15T17:00:00"`, five)
	f("", "", `"1969-12-31T23:59:59.9999Z"`, "1969-12-31T23:59:59.999Z")
	f("", "Europe/Oslo", `"2024-08-15T17:00:00"`, "2024-08-15T15:00:00Z")
	f("", "Europe/Oslo", `"2024-01-15 17:00:00.25"`, "2024-01-15T16:00:00.25Z")
	f("", "Europe/Oslo", `"2024-08-15T17:00:00Z"`, five)
	f("", "", `1723741200000`, five)
	f("", "", `1723741200000.9`, five)
	f("", "", `1.7237412e12`, five)
	f("", "", `-1.5`, "1969-12-31T23:59:59.998Z")
	f("rfc3339", "", `"2024-08-15T17:00:00Z"`, five)
	f("s", "", `1723741200`, five)
	f("s", "", `"1723741200"`, five)
	f("s", "", `"1723741200.0019"`, "2024-08-15T17:00:00.001Z")
	f("s", "", `1723741200.123`, "2024-08-15T17:00:00.123Z")
	f("s", "", `-0.0001`, "1969-12-31T23:59:59.999Z")
	f("ms", "", `"1723741200000"`, five)
	f("us", "", `1723741200000999`, five)
	f("us", "", `-1`, "1969-12-31T23:59:59.999Z")
	f("ns", "", `1723741200000999999`, five)
	f("ns", "", `"1723741200000999999"`, five)
	f("", "", `1723741200000e-999999999999999999999`, "1970-01-01T00:00:00Z")
	f("ns", "", `99999999999999999999`, "5138-11-16T09:46:39.999Z")
	f("%Y-%m-%d %H:%M:%S", "", `"2024-08-15 17:00:00"`, five)
	f("%d/%b/%Y:%H:%M:%S %z", "", `"15/Aug/2024:19:00:00 +0200"`, five)
	f("%Y%m%d", "", `20240815`, "2024-08-15T00:00:00Z")
	f("%Y-%m-%d %H:%M", "America/New_York", `"2024-08-15 13:00"`, five)
}

func TestTimestampsThatCannotBeRead(t *testing.T) {
	f := func(format, doc string, want Reason) {
		t.Helper()
		_, reason := readTime(t, format, "", doc)
		require.Equal(t, want, reason, doc)
	}
	for _, text := range []string{
		``, `now`, `2024-08-15`, `2024-08-15T17:00`, `2024-08-15T17:00:00+0200`, `2024-08-15T17:00:00+02`, `2024-08-15T17:00:00 Z`,
		`2024-13-15T17:00:00`, `2024-02-30T17:00:00`, `2023-02-29T17:00:00`, `1900-02-29T00:00:00`, `2024-04-31T00:00:00`, `2024-00-15T17:00:00`, `2024-08-00T17:00:00`,
		`2024-08-15T24:00:00`, `2024-08-15T17:60:00`, `2024-08-15T17:00:60`, `2024-08-15T17:00:00.`, `2024-08-15T17:00:00,5`, `2024-08-15_17:00:00`,
		`2024-08-15T17:00:00+24:00`, `2024-08-15T17:00:00+02:60`, `2024-08-15T17:00:00+0a:00`, `2O24-08-15T17:00:00`, `2024-08-15T17:00:00Zx`, `1723741200000`,
	} {
		f("", `"`+text+`"`, ReasonBadTimestamp)
		f("rfc3339", `"`+text+`"`, ReasonBadTimestamp)
	}
	for _, text := range []string{``, `x`, `-`, `+`, `.`, `e5`, `1e`, `1e5.5`, `1.2.3`, `0x10`, `1_000`, ` 1`, `NaN`, `2024-08-15T17:00:00`} {
		f("s", `"`+text+`"`, ReasonBadTimestamp)
	}
	f("rfc3339", `1723741200000`, ReasonBadTimestamp)
	f("", `true`, ReasonBadTimestamp)
	f("", `null`, ReasonBadTimestamp)
	f("", `{}`, ReasonBadTimestamp)
	f("%Y-%m-%d", `"15.8.2024"`, ReasonBadTimestamp)
	f("s", `9223372036854775807`, ReasonTimestampRange) // Not wrapped into a valid one.
	f("s", `1e300`, ReasonTimestampRange)
	f("", `1e999999999999`, ReasonTimestampRange)
	f("", `1e999999999999999999999`, ReasonTimestampRange)
	f("", `-99999999999999999999`, ReasonTimestampRange)
	f("", `1`+strings.Repeat("0", 100), ReasonTimestampRange)
}

func TestTimestampFormatsThatCannotBeUsed(t *testing.T) {
	f := func(format, want string) {
		t.Helper()
		_, err := newTimeReader(format, time.UTC)
		require.ErrorContains(t, err, want)
	}
	f("seconds", `"seconds" is unknown: want rfc3339, s, ms, us, ns or a strftime layout such as %Y-%m-%d %H:%M:%S`)
	f("2006-01-02", `is unknown`)
	f("%Y-%m-%d %", `is not a strftime layout that can be read`)
	f("%Y-%m-%d %!", `is not a strftime layout that can be read`)
	f("%H:%M:%S", `"%H:%M:%S" does not tell the year, the month and the day`)
	f("%Y-%m", `does not tell`)
}

func TestTimestampRefusalsSayWhatTheFormatWants(t *testing.T) {
	f := func(format, want string) {
		t.Helper()
		require.Equal(t, "bad_timestamp: samples[0] (m): timestamp t: found null, want "+want+"\n",
			mapped(t, `samples: [{name: m, value: v, timestamp: {path: t, format: "`+format+`"}}]`, `{"v":1,"t":null}`))
	}
	f("", "RFC 3339 text, or a number of milliseconds")
	f("rfc3339", "RFC 3339 text such as 2024-08-15T17:00:00Z")
	f("s", "seconds since 1970")
	f("us", "microseconds since 1970")
	f("%Y-%m-%d", `text as "%Y-%m-%d"`)
}

func TestTimestampsOfTrees(t *testing.T) {
	at := time.Date(2024, 8, 15, 17, 0, 0, 123_999_999, time.UTC)
	f := func(format string, tree any, want int64) {
		t.Helper()
		reader, err := newTimeReader(format, time.UTC)
		require.NoError(t, err)
		v, scratch := treeValue(tree), []byte(nil)
		ms, reason := reader.milliseconds(&v, &scratch)
		require.Empty(t, reason)
		require.Equal(t, want, ms)
	}
	for _, format := range []string{"", "s", "rfc3339", "ns", "%Y-%m-%d"} {
		f(format, at, 1723741200123)
	}
	f("", int64(1723741200123), 1723741200123)
	f("ms", int64(1723741200123), 1723741200123)
	f("s", int64(1723741200), 1723741200000)
	f("s", int32(5), 5000)
	f("us", int64(-1), -1)
	f("s", 1723741200.123, 1723741200123)
	f("s", float32(0.1), 100)
	f("", "2024-08-15T17:00:00", 1723741200000)
}

func TestRFC3339AgreesWithThePackageTime(t *testing.T) {
	zones := rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 2*3600), time.FixedZone("", -(9*3600 + 1800)), time.FixedZone("", 23*3600+59*60)})
	rapid.Check(t, func(t *rapid.T) {
		const firstYear, lastYear = -62135596800, 253402214400 // In each of the zones, years have four digits.
		at := time.Unix(rapid.Int64Range(firstYear, lastYear).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		text := at.In(zones.Draw(t, "zone")).Format(time.RFC3339Nano)
		ms, ok := parseRFC3339(text, time.UTC)
		require.True(t, ok, text)
		require.Equal(t, at.UnixMilli(), ms, text)
	})
}

func TestEpochsAreExact(t *testing.T) {
	ten := big.NewInt(10)
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(-1e13, 1e13).Draw(t, "whole")
		fraction := rapid.StringMatching(`(\.[0-9]{1,12})?`).Draw(t, "fraction")
		exponent := rapid.IntRange(-3, 3).Draw(t, "exponent")
		text := fmt.Sprintf("%d%se%d", whole, fraction, exponent)
		unit := rapid.SampledFrom([]int{3, 0, -3, -6}).Draw(t, "unit")
		exact, ok := new(big.Rat).SetString(text)
		require.True(t, ok)
		scale := new(big.Rat).SetInt(new(big.Int).Exp(ten, big.NewInt(int64(max(unit, -unit))), nil))
		if unit < 0 {
			scale.Inv(scale)
		}
		exact.Mul(exact, scale)
		want := new(big.Int).Div(exact.Num(), exact.Denom()) // Rounds down: the denominator is positive.
		got, reason := parseEpoch(text, unit)
		if reason == ReasonTimestampRange {
			require.Positive(t, want.CmpAbs(big.NewInt(1<<59)))
			return
		}
		require.Empty(t, reason)
		require.Equal(t, want.Int64(), got, text)
	})
}
