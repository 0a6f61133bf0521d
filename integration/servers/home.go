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

// Home is where the servers are: $INTEGRATION_SERVERS, or build/servers in the
// repository.
func Home() (string, error) {
	if home := os.Getenv("INTEGRATION_SERVERS"); home != "" {
		return filepath.Abs(home)
	}
	root, err := Root()
	return filepath.Join(root, "build", "servers"), err
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
