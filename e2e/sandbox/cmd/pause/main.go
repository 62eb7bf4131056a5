// Command pause does nothing until it is told to stop, and reaps whatever
// orphans reach it meanwhile. It holds a pod's namespaces open (as the pause
// image) and the sandbox's own (as their first process).
package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGCHLD)
	for received := range signals {
		if received != unix.SIGCHLD {
			return
		}
		// One SIGCHLD may stand for many children.
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}
