// Package sandbox brings a real Kubernetes cluster up on one Linux machine,
// without a container engine and without downloading anything but Go modules
// and Debian packages: etcd, the control plane, containerd, kubelet and
// kube-proxy, Traefik as a Gateway API proxy, and Prometheus.
//
// There are two forms.
//
// [Up] makes the full one. It outlives the process that called it and is found
// again by the next: Up repairs and reuses what is there, [Down] removes it.
// All of it lives behind one process, the ground, which is the first process
// of its own PID, mount and network namespace:
//
//	host                 | the ground of sandbox N
//	---------------------+---------------------------------------------------
//	weirN  10.89.N.1  ---+--- eth0 10.89.N.2: API server, Traefik, Prometheus
//	route to pods and    |     |
//	Services via .2      |    weir0 bridge 10.244.N.1 --- pods 10.244.N.0/24
//	                     |    kube-proxy: Services 10.96.N.0/24
//	                     |    own /run and /var, own nftables, own sysctls
//
// Metrics-server joins them when a test asks for it ([Sandbox.StartMetricsServer]),
// so that an autoscaler sees what pods use; and so does Istio's control plane
// ([Sandbox.StartIstiod]), for clients that it tells where to send their calls.
//
// So two sandboxes cannot meet each other, nor a real containerd; and when the
// ground dies, the kernel takes bridge, nftables tables, mounts, containers and
// every component with it. What then remains is a folder and a cgroup, swept by
// Down and by the next Up alike.
//
// [Sandbox.AddNodes] adds nodes when a test asks for them, each with a containerd and
// a kubelet of its own, a bridge, and 10.245.N.0/26 or the next of its kind for its pods.
// It has a PID and a mount namespace within those of the ground, and shares its network:
// so kube-proxy, Traefik and Prometheus serve all nodes as they are. A taint keeps away
// what was not made for several nodes.
//
// [StartAPIServer] makes the light one: etcd and an API server on loopback,
// ready in seconds, gone with the test. [StartLinkerd] starts a part of Linkerd's control
// plane over either.
//
// When KUBECONFIG is set, Up starts nothing and speaks to that cluster.
package sandbox
