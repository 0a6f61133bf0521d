// Kafka2prom reads measurements from Kafka and writes them to Prometheus, Mimir,
// Thanos, VictoriaMetrics, or whatever else takes remote write.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // Zones of timestamps, also in an image without any.

	"github.com/alecthomas/kong"

	"github.com/kafka2prom/kafka2prom/internal/config"
)

// The exit statuses.
const (
	exitDone   = 0
	exitFailed = 1 // It said why.
	exitUsage  = 2 // The command line or the configuration is wrong.
)

// commands are the subcommands, one file each.
type commands struct {
	Run     runCommand     `cmd:"" help:"Deliver records until stopped (or until the end, or for a span of time)."`
	Check   checkCommand   `cmd:"" help:"Check the configuration, and say in plain words what it would do."`
	Try     tryCommand     `cmd:"" help:"Print the samples that records would give. Commits nothing, writes nothing."`
	Demo    demoCommand    `cmd:"" help:"Run the whole pipeline in one process, on an embedded broker and an embedded Prometheus."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// environment is what a command may touch of the world around it.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
}

func main() {
	env := &environment{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	os.Exit(execute(context.Background(), env, os.Args[1:]))
}

// execute runs one command and returns its exit status.
func execute(ctx context.Context, env *environment, args []string) int {
	var cmds commands
	exit := -1
	parser, err := kong.New(&cmds,
		kong.Name("kafka2prom"),
		kong.Description("Reads measurements from Kafka and writes them to Prometheus by remote write. An offset is committed only after everything that its records produced has landed."),
		kong.WithHyphenPrefixedParameters(true), // --from -6h.
		kong.Writers(env.stdout, env.stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(env),
	)
	if err != nil {
		fmt.Fprintln(env.stderr, "kafka2prom:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // It was asked for help, and gave it.
		return exit
	}
	if err != nil {
		fmt.Fprintln(env.stderr, "kafka2prom:", err)
		fmt.Fprintln(env.stderr, "Try \"kafka2prom --help\".")
		return exitUsage
	}
	return status(env, command.Run())
}

// status prints an error and turns it into the exit status.
func status(env *environment, err error) int {
	var wrong *config.Error
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errSaid):
		return exitFailed
	case errors.As(err, &wrong):
		fmt.Fprintln(env.stderr, err)
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintln(env.stderr, "kafka2prom:", err)
		return exitUsage
	}
	fmt.Fprintln(env.stderr, "kafka2prom:", err)
	return exitFailed
}

// errSaid is the error of a command that has already said what went wrong.
var errSaid = errors.New("failed")

// usageError is one of the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// configFlag is the flag of every command that reads the configuration.
type configFlag struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration file (default: config.yaml, or KAFKA2PROM_CONFIG)."`
}

func (f configFlag) load(env *environment) (*config.Config, error) {
	return config.Load(config.Source{Path: f.Config, Environ: env.environ})
}
