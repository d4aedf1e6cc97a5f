// TERN_API marks what the library exports. Everything else stays hidden inside it.
//
//   The build defines TERN_BUILDING while it compiles the library. On a system with import
//   libraries, whoever links the static library defines TERN_STATIC; the pkg-config file and the
//   CMake package do so where it is needed. Elsewhere neither macro changes anything for a user.
//
// No platform is named here: the compiler is asked which attributes it knows.
#pragma once

#if defined(TERN_STATIC)
#define TERN_API
#elif !defined(__has_attribute)
// A compiler that cannot be asked speaks the declspec dialect.
#if defined(TERN_BUILDING)
#define TERN_API __declspec(dllexport)
#else
#define TERN_API __declspec(dllimport)
#endif
#elif __has_attribute(dllexport)
#if defined(TERN_BUILDING)
#define TERN_API __attribute__((dllexport))
#else
#define TERN_API __attribute__((dllimport))
#endif
#elif __has_attribute(visibility)
#define TERN_API __attribute__((visibility("default")))
#else
#define TERN_API
#endif
