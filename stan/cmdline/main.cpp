// The command line of a Stan program, as CmdStan's: a method with its arguments, `info` or `help`.
#include "run.hpp"

#include <stan/math/prim/core/init_threadpool_tbb.hpp>
#include <stan/version.hpp>

#include <chrono>

// What the C++ of a Stan program defines.
stan::model::model_base& new_model(stan::io::var_context&, unsigned int, std::ostream*);
stan::math::profile_map& get_stan_profile_data();

namespace {

#ifdef STAN_THREADS
constexpr bool threads = true;
#else
constexpr bool threads = false;
#endif

#ifdef STAN_NO_RANGE_CHECKS
constexpr bool range_checks = false;
#else
constexpr bool range_checks = true;
#endif

Argument command_line() {
  Arguments known;
  for (auto& method : methods()) known.push_back(method.arguments);
  Range possible = threads ? Range{-1} : Range{1, false, 1};
  return group("", "", {
    choice("method", "Analysis method (Note that method= is optional)", "sample", known),
    integer("id", "Unique process identifier", "1", natural),
    group("data", "Input data options", {text("file", "Input data file")}),
    text("init", "Initialization: \"x\" draws between [-x, x], \"0\" is 0, else a file; of several "
         "chains, a name that gets _ID appended, or names with commas between", "2"),
    group("random", "Random number configuration", {
      integer("seed", "Random number generator seed; -1 for one from system time", "-1",
              {-1, false, 4294967295})}),
    group("output", "File output options", {
      text("file", "Output file; of several chains as init", "output.csv"),
      text("diagnostic_file", "File for diagnostic information; of several chains as init"),
      integer("refresh", "Number of iterations between screen updates", "100", natural),
      integer("sig_figs", "Significant figures of the output; -1 for the default of C++", "8",
              {-1, false, 18}),
      text("profile_file", "File to store profiling information", "profile.csv"),
      flag("save_cmdstan_config", "Save these arguments as JSON alongside the output?", false)}),
    integer("num_threads", "Number of threads; more than 1 if compiled with STAN_THREADS=true",
            "1", possible)});
}

void usage(const std::string& program, const Argument& command) {
  std::cout << "Usage: " << program << " <arg1> <subarg1_1> ... <subarg1_m> ... <arg_n> "
            << "<subarg_n_1> ... <subarg_n_m>\n\n"
            << "Begin by selecting amongst the following inference methods and diagnostics,\n";
  for (auto& method : methods())
    std::cout << "  " << method.arguments.name << "  " << method.arguments.about << '\n';
  std::cout << "\nOr see help information with\n"
            << "  help        Prints help\n  help-all    Prints entire argument tree\n\n"
            << "Additional configuration available by specifying\n";
  for (size_t i = 1; i < command.parts.size(); ++i)
    std::cout << "  " << command.parts[i].name << "  " << command.parts[i].about << '\n';
  std::cout << "\nSee " << program
            << " <arg1> [ help | help-all ] for details on individual arguments.\n\n";
}

void info() {
  std::cout << std::boolalpha << "stan_version_major = " << stan::MAJOR_VERSION
            << "\nstan_version_minor = " << stan::MINOR_VERSION
            << "\nstan_version_patch = " << stan::PATCH_VERSION << "\nSTAN_THREADS=" << threads
            << "\nSTAN_MPI=false\nSTAN_OPENCL=false\nSTAN_NO_RANGE_CHECKS=" << !range_checks
            << "\nSTAN_CPP_OPTIMS=false\n";
}

// The seed that is asked for, else one from the time, which is kept so that it is shown.
unsigned int choose_seed(Argument& command) {
  using namespace std::chrono;
  Argument& seed = command.at("random seed");
  auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  if (seed.value == "-1") seed.value = seed.fallback = std::to_string(now % 4294967296);
  return std::stoll(seed.value);
}

// What the `profile` statements of the program have measured, if it has any.
void save_profile(const Run& run) {
  auto& profile = get_stan_profile_data();
  if (profile.empty()) return;
  auto out = run.create(run.command.text("output profile_file"));
  *out << "name,thread_id,total_time,forward_time,reverse_time,chain_stack,no_chain_stack,"
          "autodiff_calls,no_autodiff_calls\n";
  for (auto& [key, p] : profile)
    *out << key.first << ',' << key.second << ',' << p.get_fwd_time() + p.get_rev_time() << ','
         << p.get_fwd_time() << ',' << p.get_rev_time() << ',' << p.get_chain_stack_used() << ','
         << p.get_nochain_stack_used() << ',' << p.get_num_rev_passes() << ','
         << p.get_num_no_AD_fwd_passes() << '\n';
}

void record(const Argument& a, JsonWriter& out) {
  if (a.kind == Argument::Flag) return out.write(a.name, a.value == "true");
  if (a.kind == Argument::Integer) return out.write(a.name, std::stoll(a.value));
  if (a.kind == Argument::Real) return out.write(a.name, std::stod(a.value));
  if (a.kind == Argument::Text) return out.write(a.name, a.value);
  bool choice = a.kind == Argument::Choice;
  out.begin_record(a.name);
  if (choice) out.write("value", a.value);
  for (auto& part : a.parts)
    if (!choice || (part.name == a.value && !part.parts.empty())) record(part, out);
  out.end_record();
}

void save_config(const Run& run) {
  if (!run.command.flag("output save_cmdstan_config")) return;
  const std::string& output = run.command.text("output file");
  JsonWriter out = run.json_writer(suffixed(output.substr(0, output.find(',')), "_config"));
  out.begin_record();
  out.write("stan_major_version", stan::MAJOR_VERSION);
  out.write("stan_minor_version", stan::MINOR_VERSION);
  out.write("stan_patch_version", stan::PATCH_VERSION);
  out.write("model_name", run.model.model_name());
  for (auto& part : run.command.parts) record(part, out);
  out.end_record();
}

int run(Argument& command) {
  unsigned int seed = choose_seed(command);
  print(command, std::cout, "");
  std::cout << std::endl;
  stan::math::init_threadpool_tbb(command.integer("num_threads"));
  Context data = read(command.text("data file"));
  std::unique_ptr<stan::model::model_base> model(&new_model(*data, seed, &std::cout));
  Run state(command, *model, seed);
  save_config(state);
  int failed = 1;
  for (auto& method : methods())
    if (method.arguments.name == command.text("method")) failed = method.run(state);
  save_profile(state);
  if (!File::incomplete.empty())
    throw std::runtime_error("Not all could be written to \"" + File::incomplete
                             + "\": is the disk full?");
  return failed;
}

}  // namespace

int main(int argc, char* argv[]) {
  std::vector<std::string> words(argv + 1, argv + argc);
  Argument command = command_line();
  try {
    if (words.empty()) return usage(argv[0], command), 1;
    if (words.front() == "info") return info(), 0;
    if (const char* wanted = std::getenv("STAN_NUM_THREADS"); threads && wanted)
      words.insert(words.begin(), std::string("num_threads=") + wanted);
    const Argument* asked = parse(command, words);
    if (!asked) return run(command) == 0 ? 0 : 1;
    describe(*asked, std::cout, words.back() == "help-all");
    usage(argv[0], command);
    return 0;
  } catch (const Misuse& error) {
    std::cerr << error.what() << "\nFailed to parse command arguments, cannot run model.\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
  }
  return 1;
}
