package servers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The directories under Home, as the script fetch makes them.
const (
	kafkaDir      = "kafka-4.4.0"
	registryDir   = "registry-3.0.9"
	prometheusDir = "prometheus-0.315.0"
)

// Home is where the servers are: $INTEGRATION_SERVERS, or build/servers. Relative
// paths start at the root of the repository.
func Home() (string, error) {
	home := os.Getenv("INTEGRATION_SERVERS")
	if filepath.IsAbs(home) {
		return home, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	if home == "" {
		home = filepath.Join("build", "servers")
	}
	return filepath.Join(root, home), nil
}

// Root is the directory of the repository.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "kafka2prom")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("looking for the repository: no directory above this one has cmd/kafka2prom")
		}
		dir = filepath.Dir(dir)
	}
}

// find returns the path of a file under Home, or an error that says how to get it.
func find(path ...string) (string, error) {
	home, err := Home()
	if err != nil {
		return "", err
	}
	file := filepath.Join(append([]string{home}, path...)...)
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("%s is not there: run integration/servers/fetch", file)
	}
	return file, nil
}
