package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	core_v1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"

	v1 "k8s.io/api/core/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	podsecuritypolicy "k8s.io/pod-security-admission/policy"
)

var decoder = serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDecoder()

// checkBuiltIn does what the API server does with an object that is created. It knows the kinds that we use.
func checkBuiltIn(json []byte) error {
	object, err := runtime.Decode(decoder, json)
	if err != nil {
		return err
	}
	strategy, template, err := strategyOf(object)
	if err != nil {
		return err
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	if strategy.NamespaceScoped() && accessor.GetNamespace() == "" {
		return errors.New("metadata.namespace: Required value: it would go to whatever namespace is the current one")
	}
	rest.FillObjectMetaSystemFields(accessor)
	ctx := request.WithNamespace(context.Background(), accessor.GetNamespace())
	if err := rest.BeforeCreate(strategy, ctx, object); err != nil {
		return err
	}
	if warnings := strategy.WarningsOnCreate(ctx, object); len(warnings) > 0 {
		return errors.New("warning: " + strings.Join(warnings, "; "))
	}
	if template != nil {
		return checkPodSecurity(template)
	}
	return nil
}

func strategyOf(object runtime.Object) (rest.RESTCreateStrategy, *core.PodTemplateSpec, error) {
	switch object := object.(type) {
	case *apps.Deployment:
		return deployment.Strategy, &object.Spec.Template, nil
	case *apps.StatefulSet:
		return statefulset.Strategy, &object.Spec.Template, nil
	case *batch.Job:
		return job.Strategy, &object.Spec.Template, nil
	case *autoscaling.HorizontalPodAutoscaler:
		return horizontalpodautoscaler.Strategy, nil, nil
	case *policy.PodDisruptionBudget:
		return poddisruptionbudget.Strategy, nil, nil
	case *networking.NetworkPolicy:
		return networkpolicy.Strategy, nil, nil
	case *core.Service:
		return service.Strategy, nil, nil
	case *core.ConfigMap:
		return configmap.Strategy, nil, nil
	case *core.Secret:
		return secret.Strategy, nil, nil
	case *core.Namespace:
		return namespace.Strategy, nil, nil
	default:
		return nil, nil, fmt.Errorf("%T: this check does not know the kind", object)
	}
}

func checkPodSecurity(template *core.PodTemplateSpec) error {
	var external v1.PodTemplateSpec
	if err := core_v1.Convert_core_PodTemplateSpec_To_v1_PodTemplateSpec(template, &external, nil); err != nil {
		return err
	}
	evaluator, err := podsecuritypolicy.NewEvaluator(podsecuritypolicy.DefaultChecks())
	if err != nil {
		return err
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	result := podsecuritypolicy.AggregateCheckResults(
		evaluator.EvaluatePod(restricted, &external.ObjectMeta, &external.Spec))
	if !result.Allowed {
		return errors.New("Pod Security restricted: " + result.ForbiddenDetail())
	}
	return nil
}
