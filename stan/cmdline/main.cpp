// A Stan program's command line, as CmdStan's: `program <method> ..`, `program help`, `program info`.
#include "run.hpp"

#include <stan/math/prim/core/init_threadpool_tbb.hpp>
#include <stan/version.hpp>

#include <chrono>

stan::model::model_base& new_model(stan::io::var_context&, unsigned int, std::ostream*);

namespace {

#ifdef STAN_THREADS
constexpr bool threads = true;
#else
constexpr bool threads = false;
#endif

const char* const several_files
    = " If multiple chains are run, this can either be a single path, in which case its name will "
      "have _ID appended, or a comma-separated list of names.";

Argument command_line() {
  using A = Argument;
  A method{A::Choice, "method", "Analysis method (Note that method= is optional)", "sample"};
  for (auto& known : methods()) method.parts.push_back(known.arguments);
  const char* wanted = std::getenv("STAN_NUM_THREADS");
  A num_threads{A::Integer, "num_threads", "Number of threads available to the program.",
                threads && wanted ? wanted : "1", {}, {threads ? -1. : 1., false, threads ? 1e6 : 1}};
  A data{A::Group, "data", "Input data options", "", {{A::Text, "file", "Input data file"}}};
  A random{A::Group, "random", "Random number configuration", "",
           {{A::Integer, "seed", "Random number generator seed; -1 for one from system time", "-1",
             {}, {-1, false, 4294967295}}}};
  A output{A::Group, "output", "File output options", "",
           {{A::Text, "file", std::string("Output file.") + several_files, "output.csv"},
            {A::Text, "diagnostic_file",
             std::string("Auxiliary output file for diagnostic information.") + several_files},
            {A::Integer, "refresh", "Number of iterations between screen updates", "100", {},
             natural},
            {A::Integer, "sig_figs",
             "The number of significant figures used for the output CSV files; -1 for the "
             "default precision of C++ streams", "8", {}, {-1, false, 18}},
            {A::Text, "profile_file", "File to store profiling information", "profile.csv"}}};
  A init{A::Text, "init",
         std::string("Initialization method: \"x\" initializes randomly between [-x, x], \"0\" "
                     "initializes to 0, anything else identifies a file of values.")
             + several_files, "2"};
  return {A::Group, "", "", "",
          {method, {A::Integer, "id", "Unique process identifier", "1", {}, natural}, data, init,
           random, output, num_threads}};
}

void usage(const std::string& program, const Argument& command) {
  std::cout << "Usage: " << program << " <arg1> <subarg1_1> ... <subarg1_m> ... <arg_n> "
            << "<subarg_n_1> ... <subarg_n_m>\n\n"
            << "Begin by selecting amongst the following inference methods and diagnostics,\n";
  for (auto& method : command.parts.front().parts)
    std::cout << "  " << method.name << "  " << method.about << '\n';
  std::cout << "\nOr see help information with\n  help        Prints help\n"
            << "  help-all    Prints entire argument tree\n\n"
            << "Additional configuration available by specifying\n";
  for (size_t i = 1; i < command.parts.size(); ++i)
    std::cout << "  " << command.parts[i].name << "  " << command.parts[i].about << '\n';
  std::cout << "\nSee " << program
            << " <arg1> [ help | help-all ] for details on individual arguments.\n\n";
}

int info() {
  std::cout << "stan_version_major = " << stan::MAJOR_VERSION
            << "\nstan_version_minor = " << stan::MINOR_VERSION
            << "\nstan_version_patch = " << stan::PATCH_VERSION << std::boolalpha
            << "\nSTAN_THREADS=" << threads << "\nSTAN_MPI=false\nSTAN_OPENCL=false\n"
#ifdef STAN_NO_RANGE_CHECKS
            << "STAN_NO_RANGE_CHECKS=true\n"
#else
            << "STAN_NO_RANGE_CHECKS=false\n"
#endif
            << "STAN_CPP_OPTIMS=false\n";
  return 0;
}

// The seed that is asked for, else one from the time, which is kept so that it is shown.
unsigned int choose_seed(Argument& command) {
  Argument& seed = command.at("random seed");
  using namespace std::chrono;
  auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  if (seed.value == "-1") seed.value = seed.fallback = std::to_string(now % 4294967296);
  return std::stoll(seed.value);
}

int run(Argument& command) {
  unsigned int seed = choose_seed(command);
  print(command, std::cout, "");
  std::cout << std::endl;
  stan::math::init_threadpool_tbb(command.integer("num_threads"));
  Context data = read(command.text("data file"));
  std::unique_ptr<stan::model::model_base> model(&new_model(*data, seed, &std::cout));
  Run state(command, *model, seed);
  for (auto& method : methods())
    if (method.arguments.name == command.text("method")) return method.run(state) == 0 ? 0 : 1;
  return 1;
}

}  // namespace

int main(int argc, char* argv[]) {
  std::vector<std::string> words(argv + 1, argv + argc);
  Argument command = command_line();
  try {
    if (words.empty()) return usage(argv[0], command), 1;
    if (words.front() == "info") return info();
    if (const Argument* asked = parse(command, words)) {
      describe(*asked, std::cout, words.back() == "help-all");
      usage(argv[0], command);
      return 0;
    }
    return run(command);
  } catch (const Misuse& error) {
    std::cerr << error.what() << "\nFailed to parse command arguments, cannot run model.\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
  }
  return 1;
}
