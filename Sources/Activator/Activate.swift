import Glibc
import Shared

@main
struct Activate {
    static func main() async {
        exit(Builder.run(Array(CommandLine.arguments.dropFirst())))
    }
}
