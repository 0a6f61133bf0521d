package servers

import (
	"fmt"
	"net"
	"os/exec"
)

// Registry is a schema registry that keeps its schemas in memory.
type Registry struct {
	*Process
	// URL is the root of its Confluent API.
	URL string
}

// StartRegistry starts a registry; its log is in dir.
func StartRegistry(dir string) (*Registry, error) {
	jar, err := find(registryDir, "apicurio-registry-app-3.0.9-runner.jar")
	if err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("the schema registry needs Java 17 or newer: %w", err)
	}
	addresses, err := FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return nil, fmt.Errorf("splitting the registry's address: %w", err)
	}
	args := []string{
		"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dquarkus.http.host=" + host, "-Dquarkus.http.port=" + port, "-jar", jar,
	}
	process, err := Start(Command{Name: "registry", Path: java, Args: args, Dir: dir})
	if err != nil {
		return nil, err
	}
	r := &Registry{Process: process, URL: "http://" + addresses[0] + "/apis/ccompat/v7"}
	return r, r.awaitReady(answers(r.URL + "/subjects"))
}
