package metricstest

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// StartPrometheus runs Debian's Prometheus with that configuration until the test is over, and gives its
// URL. Where the package is missing it is installed; where that cannot be, the test is skipped.
func StartPrometheus(t *testing.T, config string, flags ...string) string {
	t.Helper()
	InstallPrometheus(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	address := FreeAddress(t)
	command := exec.CommandContext(t.Context(), "prometheus", append([]string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + address, "--log.level=warn",
	}, flags...)...)
	command.Stdout, command.Stderr = t.Output(), t.Output()
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait() // it is killed in the end
	}()
	t.Cleanup(func() { <-ended })
	ready := func() bool {
		select {
		case <-ended:
			require.FailNow(t, "Prometheus ended")
		default:
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/-/ready", nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK || res.StatusCode == http.StatusUnauthorized
	}
	Await(t, "Prometheus to be ready", ready)
	return "http://" + address
}

// Await looks until something holds.
func Await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const patience = time.Minute // for a machine that is busy with other things
	for end := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "waiting for %s", what)
	}
}

// FreeAddress is one on loopback that nobody listens at.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// InstallPrometheus makes sure of the programs prometheus and promtool. Where Debian's package of both is missing it is
// installed; where that cannot be, the test is skipped.
func InstallPrometheus(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err == nil {
		return
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		t.Skip("there is no program prometheus, and only root on a Debian could install it")
	}
	// Packages are tested side by side, and apt-get does not wait for another.
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "weir-metricstest.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	if _, err := exec.LookPath("prometheus"); err == nil {
		return
	}
	for _, args := range [][]string{{"update", "-q"}, {"install", "-y", "--no-install-recommends", "prometheus"}} {
		apt := exec.CommandContext(t.Context(), "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if said, err := apt.CombinedOutput(); err != nil {
			t.Skipf("prometheus cannot be installed: %s\n%s", err, said)
		}
	}
}
