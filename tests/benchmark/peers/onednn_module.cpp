// onednn_module.cpp: oneDNN behind the interface of peers.hpp, as a module that is opened at run
// time.
//
// The only file that sees oneDNN's headers. It compiles against versions 2 and 3, which differ in
// how a primitive is described; those differences are in `describe` below and nowhere else.
#include <dlfcn.h>

#include <dnnl.hpp>
#include <string>
#include <unordered_map>

#include "tests/benchmark/peers/peers.hpp"

namespace hyperion::benchmark {
namespace {

using Arguments = std::unordered_map<int, dnnl::memory>;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;

const dnnl::engine& engine() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

namespace describe {

#if DNNL_VERSION_MAJOR >= 3
dnnl::matmul::primitive_desc matmul(const Desc& a, const Desc& b, const Desc& c) {
  return {engine(), a, b, c};
}
dnnl::convolution_forward::primitive_desc convolution(const Desc& x, const Desc& w,
                                                      const Desc& bias, const Desc& y,
                                                      const dnnl::memory::dims& strides,
                                                      const dnnl::memory::dims& padding,
                                                      const dnnl::primitive_attr& attributes) {
  return {engine(),
          dnnl::prop_kind::forward_inference,
          dnnl::algorithm::convolution_direct,
          x,
          w,
          bias,
          y,
          strides,
          padding,
          padding,
          attributes};
}
dnnl::softmax_forward::primitive_desc softmax(const Desc& x) {
  return {engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_accurate, x, x, 1};
}
dnnl::layer_normalization_forward::primitive_desc layer_norm(const Desc& x, float epsilon) {
  using Flags = dnnl::normalization_flags;
  return {engine(), dnnl::prop_kind::forward_inference, x, x,
          epsilon,  Flags::use_scale | Flags::use_shift};
}
dnnl::eltwise_forward::primitive_desc relu(const Desc& x) {
  return {engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::eltwise_relu, x, x, 0.0f};
}
void append_relu(dnnl::post_ops& ops) { ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0); }
#else
dnnl::matmul::primitive_desc matmul(const Desc& a, const Desc& b, const Desc& c) {
  return {dnnl::matmul::desc(a, b, c), engine()};
}
dnnl::convolution_forward::primitive_desc convolution(const Desc& x, const Desc& w,
                                                      const Desc& bias, const Desc& y,
                                                      const dnnl::memory::dims& strides,
                                                      const dnnl::memory::dims& padding,
                                                      const dnnl::primitive_attr& attributes) {
  return {dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference,
                                          dnnl::algorithm::convolution_direct, x, w, bias, y,
                                          strides, padding, padding),
          attributes, engine()};
}
dnnl::softmax_forward::primitive_desc softmax(const Desc& x) {
  return {dnnl::softmax_forward::desc(dnnl::prop_kind::forward_inference, x, 1), engine()};
}
dnnl::layer_normalization_forward::primitive_desc layer_norm(const Desc& x, float epsilon) {
  using Flags = dnnl::normalization_flags;
  return {dnnl::layer_normalization_forward::desc(dnnl::prop_kind::forward_inference, x, epsilon,
                                                  Flags::use_scale | Flags::use_shift),
          engine()};
}
dnnl::eltwise_forward::primitive_desc relu(const Desc& x) {
  return {dnnl::eltwise_forward::desc(dnnl::prop_kind::forward_inference,
                                      dnnl::algorithm::eltwise_relu, x, 0.0f),
          engine()};
}
void append_relu(dnnl::post_ops& ops) {
  ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0, 0);
}
#endif

}  // namespace describe

Desc matrix(std::int64_t rows, std::int64_t columns, bool transposed = false) {
  return {{rows, columns}, kF32, transposed ? Tag::ba : Tag::ab};
}

dnnl::memory wrap(const Desc& desc, const float* data) {
  return {desc, engine(), const_cast<float*>(data)};  // oneDNN has no constant memory
}

class Primitives : public PeerKernel {
 public:
  void add(dnnl::primitive primitive, Arguments arguments) {
    steps_.push_back({std::move(primitive), std::move(arguments)});
  }
  void run() override {
    for (Step& step : steps_) step.primitive.execute(stream_, step.arguments);
    stream_.wait();
  }

 protected:
  void reorder(dnnl::memory from, dnnl::memory to) {
    dnnl::reorder(from, to).execute(stream_, from, to);
    stream_.wait();
  }

 private:
  struct Step {
    dnnl::primitive primitive;
    Arguments arguments;
  };
  std::vector<Step> steps_;
  dnnl::stream stream_{engine()};
};

class Sgemm final : public PeerKernel {
 public:
  explicit Sgemm(const Matmul& problem) : p_(problem) {}
  void run() override {
    dnnl::sgemm(p_.lhs_transposed ? 'T' : 'N', p_.rhs_transposed ? 'T' : 'N', p_.m, p_.n, p_.k,
                1.0f, p_.a, p_.lhs_transposed ? p_.m : p_.k, p_.b, p_.rhs_transposed ? p_.k : p_.n,
                0.0f, p_.c, p_.n);
  }

 private:
  const Matmul p_;
};

// Source and weights are converted to the layouts that oneDNN likes best once, before the race.
class ConvolutionKernel final : public Primitives {
 public:
  explicit ConvolutionKernel(const Convolution& p)
      : plain_output_(
            wrap({{p.batch, p.out_channels, p.out_height(), p.out_width()}, kF32, Tag::nhwc},
                 p.output)) {
    const bool has_bias = p.epilogue != Convolution::Epilogue::none;
    const dnnl::memory::dims source = {p.batch, p.in_channels, p.height, p.width};
    const dnnl::memory::dims weights = {p.out_channels, p.in_channels, p.kernel, p.kernel};
    const Desc bias = has_bias ? Desc({p.out_channels}, kF32, Tag::a) : Desc();
    dnnl::primitive_attr attributes;
    if (p.epilogue == Convolution::Epilogue::fused) {
      dnnl::post_ops ops;
      describe::append_relu(ops);
      attributes.set_post_ops(ops);
    }
    const auto chosen =
        describe::convolution(Desc(source, kF32, Tag::any), Desc(weights, kF32, Tag::any), bias,
                              Desc(plain_output_.get_desc().dims(), kF32, Tag::any),
                              {p.stride, p.stride}, {p.padding, p.padding}, attributes);
    const dnnl::memory x(chosen.src_desc(), engine());
    const dnnl::memory w(chosen.weights_desc(), engine());
    output_ = dnnl::memory(chosen.dst_desc(), engine());
    reorder(wrap({source, kF32, Tag::nhwc}, p.input), x);
    reorder(wrap({weights, kF32, Tag::hwio}, p.weights), w);
    Arguments arguments = {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, output_}};
    if (has_bias) arguments.insert({DNNL_ARG_BIAS, wrap(bias, p.bias)});
    add(dnnl::convolution_forward(chosen), arguments);
    if (p.epilogue == Convolution::Epilogue::separate) {
      add(dnnl::eltwise_forward(describe::relu(chosen.dst_desc())),
          {{DNNL_ARG_SRC, output_}, {DNNL_ARG_DST, output_}});
    }
  }
  void collect() override { reorder(output_, plain_output_); }

 private:
  dnnl::memory output_;
  dnnl::memory plain_output_;
};

// A peer that refuses a problem is absent for that problem; an exception must not cross the
// module's edge.
template <class Make>
PeerKernel* guarded(Make make) {
  try {
    return make();
  } catch (const std::exception&) {
    return nullptr;
  }
}

}  // namespace
}  // namespace hyperion::benchmark

using namespace hyperion::benchmark;

extern "C" {

const char* hyperion_onednn_version() {
  static const std::string kText = [] {
    const dnnl::version_t& v = *dnnl::version();
    return "oneDNN " + std::to_string(v.major) + "." + std::to_string(v.minor) + "." +
           std::to_string(v.patch);
  }();
  return kText.c_str();
}

// Debian's oneDNN runs on OpenMP, whose thread count is set through its own library.
void hyperion_onednn_set_threads(int threads) {
  void* library = dlopen("libgomp.so.1", RTLD_NOW);
  if (library == nullptr) return;
  if (void* set = dlsym(library, "omp_set_num_threads")) {
    reinterpret_cast<void (*)(int)>(set)(threads);
  }
}

PeerKernel* hyperion_onednn_matmul(const Matmul& p) {
  return guarded([&] {
    const Desc a = matrix(p.m, p.k, p.lhs_transposed);
    const Desc b = matrix(p.k, p.n, p.rhs_transposed);
    const Desc c = matrix(p.m, p.n);
    auto kernel = std::make_unique<Primitives>();
    kernel->add(dnnl::matmul(describe::matmul(a, b, c)), {{DNNL_ARG_SRC, wrap(a, p.a)},
                                                          {DNNL_ARG_WEIGHTS, wrap(b, p.b)},
                                                          {DNNL_ARG_DST, wrap(c, p.c)}});
    return kernel.release();
  });
}

PeerKernel* hyperion_onednn_sgemm(const Matmul& p) { return new Sgemm(p); }

PeerKernel* hyperion_onednn_convolution(const Convolution& p) {
  return guarded([&] { return new ConvolutionKernel(p); });
}

PeerKernel* hyperion_onednn_softmax(const Rows& p) {
  return guarded([&] {
    const Desc x = matrix(p.rows, p.columns);
    auto kernel = std::make_unique<Primitives>();
    kernel->add(dnnl::softmax_forward(describe::softmax(x)),
                {{DNNL_ARG_SRC, wrap(x, p.input)}, {DNNL_ARG_DST, wrap(x, p.output)}});
    return kernel.release();
  });
}

PeerKernel* hyperion_onednn_layer_norm(const Rows& p) {
  return guarded([&] {
    const Desc x = matrix(p.rows, p.columns);
    const Desc row({p.columns}, kF32, Tag::a);
    auto kernel = std::make_unique<Primitives>();
    kernel->add(dnnl::layer_normalization_forward(describe::layer_norm(x, p.epsilon)),
                {{DNNL_ARG_SRC, wrap(x, p.input)},
                 {DNNL_ARG_DST, wrap(x, p.output)},
                 {DNNL_ARG_SCALE, wrap(row, p.scale)},
                 {DNNL_ARG_SHIFT, wrap(row, p.shift)}});
    return kernel.release();
  });
}

}  // extern "C"
