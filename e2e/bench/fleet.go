package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const (
	// releasedNamespace holds the one application that is released, releasedName.
	releasedNamespace = "bench-released"
	releasedName      = "app-0"
	// crowd is how many applications share a namespace: the Deployment controller goes through all ReplicaSets
	// of a namespace at each of its looks.
	crowd = 50
	// makers is how many objects are made at a time.
	makers = 8
	// patience is how long anything may take.
	patience = 30 * time.Minute
)

// fleet is all the applications.
type fleet struct {
	*stand
	size int
	// judged says that all are to be released, and judged by several metrics.
	judged bool
	say    func(string, ...any)
}

func (f *fleet) name(i int) types.NamespacedName {
	name := types.NamespacedName{Namespace: fmt.Sprintf("bench-%d", i/crowd), Name: fmt.Sprintf("app-%d", i)}
	if i == 0 {
		name.Namespace = releasedNamespace
	}
	return name
}

// deploy makes the applications, waits until they run, and gives each its Canary.
func (f *fleet) deploy(ctx context.Context) error {
	if err := f.makeNamespaces(ctx); err != nil {
		return err
	}
	if err := f.each(ctx, f.makeApplication); err != nil {
		return err
	}
	err := f.await(ctx, "Deployments available", func() (int, error) {
		list, err := f.kube.AppsV1().Deployments("").List(ctx, fromCache())
		if err != nil {
			return 0, err
		}
		return count(list.Items, func(d appsv1.Deployment) bool { return d.Status.AvailableReplicas > 0 }), nil
	})
	if err != nil {
		return err
	}
	if f.judged {
		if err := f.makeTemplates(ctx); err != nil {
			return err
		}
	}
	return f.each(ctx, f.makeCanary)
}

// makeNamespaces waits for the accounts that pods need, too.
func (f *fleet) makeNamespaces(ctx context.Context) error {
	var names []string
	for i := range f.size {
		if name := f.name(i).Namespace; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := f.kube.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("making namespace %s: %w", name, err)
		}
	}
	for {
		list, err := f.kube.CoreV1().ServiceAccounts("").List(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector("metadata.name", "default").String(),
		})
		if err != nil {
			return fmt.Errorf("waiting for accounts: %w", err)
		}
		has := func(name string) bool {
			return slices.ContainsFunc(list.Items, func(a corev1.ServiceAccount) bool { return a.Namespace == name })
		}
		if count(names, has) == len(names) {
			return nil
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for accounts: %w", err)
		}
	}
}

// each does something for every application, some at a time.
func (f *fleet) each(ctx context.Context, do func(context.Context, types.NamespacedName) error) error {
	var mu sync.Mutex
	var failed error
	workqueue.ParallelizeUntil(ctx, makers, f.size, func(i int) {
		if err := do(ctx, f.name(i)); err != nil {
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, fmt.Errorf("making %s: %w", f.name(i), err))
		}
	})
	return errors.Join(failed, context.Cause(ctx))
}

func (f *fleet) makeApplication(ctx context.Context, name types.NamespacedName) error {
	labels := map[string]string{"app": name.Name}
	one := int32(1)
	meta := metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}
	deployment := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
		},
	}}
	if _, err := f.kube.AppsV1().Deployments(name.Namespace).Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
		return err
	}
	service := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Selector: labels, Ports: []corev1.ServicePort{{Port: 80}},
	}}
	_, err := f.kube.CoreV1().Services(name.Namespace).Create(ctx, service, metav1.CreateOptions{})
	return err
}

func (f *fleet) makeCanary(ctx context.Context, name types.NamespacedName) error {
	least := 99.0
	canary := &v1beta1.Canary{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
		Spec: v1beta1.CanarySpec{
			TargetRef: v1beta1.TargetRef{Name: name.Name}, MetricsServer: f.prometheusURL,
			Service: v1beta1.CanaryService{Port: 80, GatewayRefs: []gatewayv1.ParentReference{{Name: "gateway"}}},
			Analysis: v1beta1.CanaryAnalysis{
				Interval: "10s", StepWeights: []int32{10, 20, 40, 60, 80},
				Metrics: []v1beta1.CanaryMetric{{
					Name: "request-success-rate", ThresholdRange: &v1beta1.ThresholdRange{Min: &least},
				}},
			},
		},
	}
	if f.judged {
		judged(&canary.Spec)
	}
	_, err := f.weir.WeirV1beta1().Canaries(name.Namespace).Create(ctx, canary, metav1.CreateOptions{})
	return err
}

// await says how many of the applications are as wanted, until all are.
func (f *fleet) await(ctx context.Context, what string, are func() (int, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s did not come within %s", what, patience))
	defer cancel()
	told := -1
	for {
		n, err := are()
		switch {
		case err != nil:
			return fmt.Errorf("waiting for %s: %w", what, err)
		case n == f.size:
			f.say("%s: all %d", what, n)
			return nil
		case n/200 != told/200:
			f.say("%s: %d of %d", what, n, f.size)
			told = n
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

// fromCache spares the API server's store.
func fromCache() metav1.ListOptions { return metav1.ListOptions{ResourceVersion: "0"} }

func count[T any](all []T, is func(T) bool) int {
	n := 0
	for _, one := range all {
		if is(one) {
			n++
		}
	}
	return n
}

func sleep(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(long):
		return nil
	}
}
