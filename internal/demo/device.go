package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// device is a sensor that measures a room, or a meter that measures power.
type device struct {
	site, id, room string
	meter          bool
	clock          fault // sound, clockReset or clockAhead.
	// names are those of its series, in Prometheus' notation: temperature and
	// humidity of a sensor, power of a meter.
	names []string

	mean  float64   // Its own level: degrees Celsius, or watts.
	drift float64   // A slow random walk around it.
	last  time.Time // Its newest reading: the times of a device never repeat by chance.
}

// The size of the plant.
const (
	sensorsPerSite = 20
	metersPerSite  = 8
)

// plant makes the devices, in the order in which they take turns.
func plant(random *rand.Rand) []*device {
	sites := []string{"bergen", "oslo", "stavanger", "tromso", "trondheim"}
	rooms := []string{"lab", "hall", "office", "archive", "workshop"}
	var devices []*device
	for _, site := range sites {
		for i := range sensorsPerSite {
			devices = append(devices, sensor(site, fmt.Sprintf("%s-s%02d", site, i+1), rooms[i%len(rooms)], random))
		}
		for i := range metersPerSite {
			devices = append(devices, meter(site, fmt.Sprintf("%s-m%02d", site, i+1), random))
		}
	}
	reset := sensor("tromso", "tromso-s98", "cellar", random)
	ahead := sensor("tromso", "tromso-s99", "cellar", random)
	reset.clock, ahead.clock = clockReset, clockAhead
	devices = append(devices, reset, ahead)
	random.Shuffle(len(devices), func(i, j int) { devices[i], devices[j] = devices[j], devices[i] })
	return devices
}

func sensor(site, id, room string, random *rand.Rand) *device {
	name := func(metric string) string {
		return labels.FromStrings("__name__", metric, "site", site, "room", room, "device", id).String()
	}
	return &device{
		site: site, id: id, room: room,
		names: []string{name("room_temperature_celsius"), name("room_humidity_percent")},
		mean:  20 + 3*random.Float64(),
	}
}

func meter(site, id string, random *rand.Rand) *device {
	return &device{
		site: site, id: id, meter: true,
		names: []string{labels.FromStrings("__name__", "power_watts", "site", site, "meter", id).String()},
		mean:  400 + 2600*random.Float64(),
	}
}

// now is the time that the device puts on a reading, to the millisecond, when it is
// at in the world.
func (d *device) now(at time.Time) time.Time {
	switch d.clock {
	case clockReset:
		at = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	case clockAhead:
		at = at.Add(time.Hour)
	default:
	}
	at = at.Truncate(time.Millisecond)
	if !at.After(d.last) {
		at = d.last.Add(time.Millisecond)
	}
	d.last = at
	return at
}

// measure gives one value for each series of the device: a daily curve, a slow drift
// and noise.
func (d *device) measure(at time.Time, random *rand.Rand) []float64 {
	d.drift = 0.98*d.drift + 0.1*random.NormFloat64()
	hour := float64(at.Hour()) + float64(at.Minute())/60
	day := math.Sin((hour - 9) / 24 * 2 * math.Pi) // Highest at three in the afternoon.
	if !d.meter {
		temperature := d.mean + 1.5*day + d.drift + 0.05*random.NormFloat64()
		humidity := 48 - 2*(temperature-d.mean) + 0.3*random.NormFloat64()
		return []float64{hundredths(temperature), hundredths(humidity)}
	}
	load := 1 + 0.6*day
	if phase := at.Minute() % 15; phase < 6 { // The compressor of the cooling runs.
		load += 0.5
	}
	return []float64{hundredths(math.Max(0, d.mean*(load+0.1*d.drift+0.02*random.NormFloat64())))}
}

func hundredths(v float64) float64 { return math.Round(v*100) / 100 }
