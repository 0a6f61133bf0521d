// Package demo is the whole way from Kafka to Prometheus in one process: an
// embedded broker, a stream of sensor readings, a Prometheus TSDB, and a
// comparison of what went in with what came out.
package demo
